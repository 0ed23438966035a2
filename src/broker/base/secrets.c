#include "base/secrets.h"

_Static_assert(SECRET_BYTES_MIN == 32 && SECRETS_MAX == 8, "as the messages say");

bool secrets_read(struct secrets *secrets, struct str list, const char **problem)
{
    struct secrets read = {.count = 0};
    struct str rest = list;
    struct str part;

    while (list.len > 0 && str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.len < SECRET_BYTES_MIN) {
            *problem = "each secret must have at least 32 characters; make one with: openssl rand -hex 32";
            return false;
        }
        if (read.count == SECRETS_MAX) {
            *problem = "there may be at most 8 secrets, separated by commas";
            return false;
        }
        read.at[read.count++] = part;
    }
    *secrets = read;
    return true;
}

static bool sign(struct str secret, unsigned char signature[SIGNATURE_SIZE], struct str purpose, struct str text)
{
    const struct str parts[] = {STR("pillar "), purpose, {"", 1}, text};

    return hmac_sha256(signature, secret, parts, sizeof parts / sizeof *parts);
}

bool secrets_sign(const struct secrets *secrets, unsigned char signature[SIGNATURE_SIZE], struct str purpose,
                  struct str text)
{
    return secrets->count > 0 && sign(secrets->at[0], signature, purpose, text);
}

bool secrets_verify(const struct secrets *secrets, struct str signature, struct str purpose, struct str text)
{
    unsigned char right[SIGNATURE_SIZE];

    for (size_t i = 0; i < secrets->count; i++)
        if (sign(secrets->at[i], right, purpose, text) &&
            str_eq_secret(signature, (struct str){(const char *)right, sizeof right}))
            return true;
    return false;
}
