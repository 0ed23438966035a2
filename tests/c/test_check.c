#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pillar/pillar.h"
#include "support/check.h"

static void count_line(void *context, const char *line)
{
    size_t *lines = context;

    assert_null(strchr(line, '\n'));
    (*lines)++;
}

/* What pillar_check returns for a script whose second line is `body`; it may leave a file PATH.count behind. */
static int check(const char *body, size_t *lines, pillar_error *error)
{
    char path[] = "/tmp/pillar-check-XXXXXX";
    char count[64];
    int fd = mkstemp(path);
    pillar_options *options = pillar_options_create();

    assert_true(fd >= 0 && options != NULL);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fprintf(file, "local app = require('pillar').app() app:anonymous()\n%s\nreturn app\n", body);
    fclose(file);
    assert_int_equal(pillar_options_set(options, "library", PILLAR_SOURCE "/lua", NULL), 0);
    *lines = 0;
    *error = (pillar_error){.code = "untouched"};
    int found = pillar_check(path, options, count_line, lines, error);
    pillar_options_free(options);
    unlink(path);
    snprintf(count, sizeof count, "%s.count", path);
    unlink(count);
    return found;
}

TEST(a_script_without_a_mistake_gives_0_and_no_error)
{
    pillar_error error;
    size_t lines;

    assert_int_equal(check("app:get('/a', print)", &lines, &error), 0);
    assert_int_equal(lines, 1);
    assert_string_equal(error.code, "untouched");
}

TEST(findings_are_counted_and_notes_are_not)
{
    pillar_error error;
    size_t lines;

    assert_int_equal(check("app:entity('a') app:entity('b') app:get('/:x', print)", &lines, &error), 2);
    assert_int_equal(lines, 3 + 3);
    assert_string_equal(error.code, "findings");
    assert_non_null(strstr(error.message, ": 2 findings"));
    assert_int_equal(check("app:entity('a')", &lines, &error), 1);
    assert_non_null(strstr(error.message, ": 1 finding"));
    assert_null(strstr(error.message, "findings"));
}

TEST(a_script_that_does_not_load_gives_minus_1_and_prints_nothing)
{
    pillar_error error;
    size_t lines;

    assert_int_equal(check("error('on purpose')", &lines, &error), -1);
    assert_int_equal(lines, 0);
    assert_string_equal(error.code, "script");
    assert_non_null(strstr(error.message, ":2: on purpose"));
    assert_int_equal(check("app:migrate { 'CREATE nonsense' }", &lines, &error), -1);
    assert_int_equal(lines, 0);
}

TEST(a_script_that_fails_when_it_is_loaded_again_gives_minus_1)
{
    pillar_error error;
    size_t lines;

    assert_int_equal(check("local file = io.open(debug.getinfo(1, 'S').source:sub(2) .. '.count', 'a+') "
                           "file:write('x') file:seek('set') local count = #file:read('a') file:close() "
                           "if count > 1 then error('the second time') end",
                           &lines, &error),
                     -1);
    assert_int_equal(lines, 0);
    assert_non_null(strstr(error.message, "it cannot be looked at: "));
    assert_non_null(strstr(error.message, "the second time"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_without_a_mistake_gives_0_and_no_error),
        cmocka_unit_test(findings_are_counted_and_notes_are_not),
        cmocka_unit_test(a_script_that_does_not_load_gives_minus_1_and_prints_nothing),
        cmocka_unit_test(a_script_that_fails_when_it_is_loaded_again_gives_minus_1),
    };

    return RUN_TESTS(tests);
}
