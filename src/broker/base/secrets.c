#include "base/secrets.h"

bool secrets_read(struct secrets *secrets, struct str list, struct error *e)
{
    struct secrets read = {.count = 0};
    struct str rest = list;
    struct str part;

    while (list.len > 0 && str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.len < SECRET_BYTES_MIN)
            return error_set(e, "invalid_option",
                             "each secret must have at least %d characters; make one with: openssl rand -hex 32",
                             SECRET_BYTES_MIN);
        if (read.count == SECRETS_MAX)
            return error_set(e, "invalid_option", "it holds more than %d secrets", SECRETS_MAX);
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
