#include "base/password.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/random.h"

enum { SALT_SIZE = 16, SALT_MIN = 8, HASH_SIZE = 32, PART_MAX = 64, R_MAX = 32, P_MAX = 16 };

/* One of the equal choices of the OWASP Password Storage Cheat Sheet, that with little memory: several workers may hash
 * at a time. */
static const struct scrypt_cost usual_cost = {14, 8, 5};

/* As much as any of those choices costs. */
static const uint64_t COST_MAX = 1u << 20;

struct stored {
    struct scrypt_cost cost;
    unsigned char salt[PART_MAX];
    size_t salt_len;
    unsigned char hash[PART_MAX];
    size_t hash_len;
};

/* --- reading --- */

/* "ln=14" */
static bool read_parameter(struct str text, const char *name, unsigned most, unsigned *value)
{
    struct str prefix = str_of(name);
    unsigned long long number;

    if (!str_starts_with(text, prefix) || !str_to_u64(str_from(text, prefix.len), &number))
        return false;
    *value = (unsigned)number;
    return number >= 1 && number <= most && text.ptr[prefix.len] != '0';
}

static bool read_cost(struct str text, struct scrypt_cost *cost)
{
    struct str log2_n;
    struct str r;

    return str_split(&text, ',', &log2_n) && str_split(&text, ',', &r) && text.ptr != NULL &&
           read_parameter(log2_n, "ln=", 20, &cost->log2_n) && read_parameter(r, "r=", R_MAX, &cost->r) &&
           read_parameter(text, "p=", P_MAX, &cost->p) && ((uint64_t)cost->r * cost->p << cost->log2_n) <= COST_MAX;
}

static bool read_bytes(struct str text, size_t least, unsigned char out[PART_MAX], size_t *len)
{
    *len = base64_decoded_len(text.len);
    return *len >= least && *len <= PART_MAX && base64_decode(out, BASE64_STANDARD, text);
}

static bool read_stored(struct str text, struct stored *s)
{
    struct str prefix = STR("$scrypt$");
    struct str cost;
    struct str salt;

    if (!str_starts_with(text, prefix))
        return false;
    text = str_from(text, prefix.len);
    return str_split(&text, '$', &cost) && str_split(&text, '$', &salt) && text.ptr != NULL &&
           read_cost(cost, &s->cost) && read_bytes(salt, SALT_MIN, s->salt, &s->salt_len) &&
           read_bytes(text, HASH_SIZE, s->hash, &s->hash_len);
}

/* --- writing --- */

static void write_stored(char out[PASSWORD_HASH_MAX], struct scrypt_cost cost, const unsigned char salt[SALT_SIZE],
                         const unsigned char hash[HASH_SIZE])
{
    char salt_text[2 * SALT_SIZE] = "";
    char hash_text[2 * HASH_SIZE] = "";

    base64_encode(salt_text, BASE64_STANDARD, (struct str){(const char *)salt, SALT_SIZE});
    base64_encode(hash_text, BASE64_STANDARD, (struct str){(const char *)hash, HASH_SIZE});
    snprintf(out, PASSWORD_HASH_MAX, "$scrypt$ln=%u,r=%u,p=%u$%s$%s", cost.log2_n, cost.r, cost.p, salt_text,
             hash_text);
}

static bool length_fits(struct str password)
{
    return password.len >= 1 && password.len <= PASSWORD_MAX;
}

bool password_hash(char out[PASSWORD_HASH_MAX], struct str password)
{
    unsigned char salt[SALT_SIZE];
    unsigned char hash[HASH_SIZE];

    random_bytes(salt, sizeof salt);
    if (!length_fits(password) ||
        !scrypt(hash, sizeof hash, password, (struct str){(const char *)salt, sizeof salt}, usual_cost))
        return false;
    write_stored(out, usual_cost, salt, hash);
    OPENSSL_cleanse(hash, sizeof hash);
    return true;
}

bool password_verify(struct str password, struct str hash)
{
    unsigned char found[PART_MAX];
    struct stored s;

    if (!length_fits(password) || !read_stored(hash, &s) ||
        !scrypt(found, s.hash_len, password, (struct str){(const char *)s.salt, s.salt_len}, s.cost))
        return false;
    bool same =
        str_eq_secret((struct str){(const char *)found, s.hash_len}, (struct str){(const char *)s.hash, s.hash_len});
    OPENSSL_cleanse(found, sizeof found);
    return same;
}
