#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/verify_key_private.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, RSA_EXPONENT_BITS_MAX = 64, P256_SIZE = 32, ED25519_SIZE = 32 };

static void *refuse(struct error *e, const char *why)
{
    (void)error_set(e, "invalid_key", "%s", why);
    return NULL;
}

static const char is_private[] = "this is a private key; give the public one (openssl pkey -in private.pem -pubout)";

/* --- checks of public keys --- */

/* Numbers of which no honest key is made: with e = 1, everything is its own signature. */
static bool rsa_numbers_fit(const EVP_PKEY *key)
{
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    bool fit = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
               EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && !BN_is_negative(n) && BN_is_odd(n) &&
               !BN_is_negative(e) && BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX;

    BN_free(n);
    BN_free(e);
    return fit;
}

static bool check_rsa(const EVP_PKEY *key, struct error *e)
{
    int bits = EVP_PKEY_get_bits(key);

    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return error_set(e, "invalid_key", "an RSA key of %d bits; it must have from %d to %d", bits, RSA_BITS_MIN,
                         RSA_BITS_MAX);
    if (!rsa_numbers_fit(key))
        return error_set(e, "invalid_key", "the RSA key's numbers are not those of a key");
    return true;
}

static bool is_point(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool ok = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return ok;
}

static bool check_p256(EVP_PKEY *key, struct error *e)
{
    char curve[64] = "";

    if (EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) != 1 || strcmp(curve, "prime256v1") != 0)
        return error_set(e, "invalid_key", "an elliptic curve key on %s; it must be on P-256",
                         curve[0] == '\0' ? "a curve without a name" : curve);
    return is_point(key) || error_set(e, "invalid_key", "the key is no point on the curve P-256");
}

/* The points of small order: whoever likes can sign for them. All zeros is one, so this is easily come by. */
static bool has_small_order(const unsigned char point[ED25519_SIZE])
{
    static const unsigned char small[][ED25519_SIZE] = {
        {0},
        {1},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
         0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}};
    const size_t last = ED25519_SIZE - 1;

    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (memcmp(point, small[i], last) == 0 && (point[last] & 0x7f) == small[i][last])
            return true;
    return false;
}

static bool check_ed25519(const EVP_PKEY *key, struct error *e)
{
    unsigned char point[ED25519_SIZE];
    size_t len = sizeof point;

    if (EVP_PKEY_get_raw_public_key(key, point, &len) != 1 || len != sizeof point || has_small_order(point))
        return error_set(e, "invalid_key", "the Ed25519 key is no key");
    return true;
}

static bool check(EVP_PKEY *key, enum verify_algorithm *algorithm, struct error *e)
{
    if (EVP_PKEY_is_a(key, "RSA")) {
        *algorithm = VERIFY_RS256;
        return check_rsa(key, e);
    }
    if (EVP_PKEY_is_a(key, "EC")) {
        *algorithm = VERIFY_ES256;
        return check_p256(key, e);
    }
    if (EVP_PKEY_is_a(key, "ED25519")) {
        *algorithm = VERIFY_EDDSA;
        return check_ed25519(key, e);
    }
    return error_set(e, "invalid_key", "a key of another kind than RSA, elliptic curve (P-256) and Ed25519");
}

/* Takes the key over. */
static struct verify_key *wrap(EVP_PKEY *public_key, struct error *e)
{
    enum verify_algorithm algorithm = VERIFY_RS256;

    if (public_key == NULL)
        return refuse(e, "the key cannot be read");
    if (!check(public_key, &algorithm, e)) {
        EVP_PKEY_free(public_key);
        return NULL;
    }
    struct verify_key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        EVP_PKEY_free(public_key);
        (void)error_no_memory(e);
        return NULL;
    }
    key->algorithm = algorithm;
    key->public_key = public_key;
    return key;
}

/* --- secrets --- */

static bool contains(struct str text, const char *what)
{
    return text.len > 0 && memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

/* PEM, OpenSSH's formats, and a JSON Web Key. */
static bool is_key_file(struct str text)
{
    struct str start = text;

    while (start.len > 0 && strchr(" \t\r\n", start.ptr[0]) != NULL)
        start = str_from(start, 1);
    return contains(text, "-----BEGIN ") || str_starts_with(start, STR("ssh-")) ||
           str_starts_with(start, STR("ecdsa-")) || (str_starts_with(start, STR("{")) && contains(text, "\"kty\""));
}

struct verify_key *verify_key_from_secret(struct str secret, struct error *e)
{
    if (is_key_file(secret))
        return refuse(e, "this is a public key and no secret");
    if (secret.len < HMAC_SHA256_SIZE || secret.len > VERIFY_KEY_SECRET_MAX) {
        (void)error_set(e, "invalid_key", "a secret of %zu bytes; it must have from %d to %d", secret.len,
                        HMAC_SHA256_SIZE, VERIFY_KEY_SECRET_MAX);
        return NULL;
    }
    struct verify_key *key = calloc(1, sizeof *key);
    char *copy = malloc(secret.len);
    if (key == NULL || copy == NULL) {
        free(key);
        free(copy);
        (void)error_no_memory(e);
        return NULL;
    }
    memcpy(copy, secret.ptr, secret.len);
    *key = (struct verify_key){.algorithm = VERIFY_HS256, .secret = copy, .secret_len = secret.len};
    return key;
}

/* --- PEM --- */

static EVP_PKEY *read_certificate(const unsigned char **data, long len)
{
    X509 *certificate = d2i_X509(NULL, data, len);
    EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);

    X509_free(certificate);
    return key;
}

static struct verify_key *read_block(const char *name, const unsigned char *data, long len, struct error *e)
{
    const unsigned char *end = data + len;
    EVP_PKEY *key = NULL;

    if (strstr(name, "PRIVATE KEY") != NULL)
        return refuse(e, is_private);
    if (strcmp(name, "PUBLIC KEY") == 0) {
        key = d2i_PUBKEY(NULL, &data, len);
    } else if (strcmp(name, "CERTIFICATE") == 0) {
        key = read_certificate(&data, len);
    } else {
        (void)error_set(e, "invalid_key", "a PEM block of the kind %.40s; it must be a PUBLIC KEY or a CERTIFICATE",
                        name);
        return NULL;
    }
    if (key != NULL && data != end) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return wrap(key, e);
}

static struct verify_key *read_pem(struct str pem, struct error *e)
{
    unsigned char *data = NULL;
    char *name = NULL;
    char *header = NULL;
    long len = 0;
    struct verify_key *key = NULL;
    BIO *in = BIO_new_mem_buf(pem.ptr, (int)pem.len);

    if (in == NULL)
        (void)error_no_memory(e);
    else if (PEM_read_bio(in, &name, &header, &data, &len) != 1)
        (void)refuse(e, "the PEM block is malformed");
    else
        key = read_block(name, data, len, e);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(in);
    return key;
}

struct verify_key *verify_key_from_pem(struct str pem, struct error *e)
{
    static const char begin[] = "-----BEGIN ";

    if (pem.len > VERIFY_KEY_TEXT_MAX)
        return refuse(e, "the PEM text is too long");
    const char *first = pem.len == 0 ? NULL : memmem(pem.ptr, pem.len, begin, sizeof begin - 1);
    if (first == NULL)
        return refuse(e, "this is no PEM text");
    if (contains(str_from(pem, (size_t)(first - pem.ptr) + 1), begin))
        return refuse(e, "there is more than one PEM block; give the one of the key alone");
    ERR_set_mark();
    struct verify_key *key = read_pem(pem, e);
    ERR_pop_to_mark();
    return key;
}

/* --- JSON Web Keys --- */

struct number {
    unsigned char bytes[VERIFY_KEY_SECRET_MAX];
    size_t len;
};

static bool read_number(struct str text, struct number *number)
{
    number->len = base64_decoded_len(text.len);
    return number->len > 0 && number->len <= sizeof number->bytes && base64_decode(number->bytes, BASE64_URL, text);
}

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static struct verify_key *read_rsa(const struct jwk *jwk, struct error *e)
{
    struct number modulus;
    struct number exponent;
    EVP_PKEY *key = NULL;

    if (!read_number(jwk->n, &modulus) || !read_number(jwk->e, &exponent))
        return refuse(e, "the RSA key's n or e is missing or malformed");
    BIGNUM *n = BN_bin2bn(modulus.bytes, (int)modulus.len, NULL);
    BIGNUM *exp = BN_bin2bn(exponent.bytes, (int)exponent.len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (n != NULL && exp != NULL && builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exp) == 1)
        key = build("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(exp);
    return wrap(key, e);
}

/* RFC 7518 section 6.2.1: x and y are 32 bytes each, whatever they begin with. */
static struct verify_key *read_p256(const struct jwk *jwk, struct error *e)
{
    unsigned char point[1 + 2 * P256_SIZE] = {4}; /* uncompressed: SEC 1 section 2.3.3 */
    struct number x;
    struct number y;
    EVP_PKEY *key = NULL;

    if (!str_eq(jwk->crv, STR("P-256")))
        return refuse(e, "an elliptic curve key whose crv is not P-256");
    if (!read_number(jwk->x, &x) || !read_number(jwk->y, &y) || x.len != P256_SIZE || y.len != P256_SIZE)
        return refuse(e, "the key's x or y is missing or malformed");
    memcpy(point + 1, x.bytes, P256_SIZE);
    memcpy(point + 1 + P256_SIZE, y.bytes, P256_SIZE);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
        key = build("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return wrap(key, e);
}

static struct verify_key *read_ed25519(const struct jwk *jwk, struct error *e)
{
    struct number x;

    if (!str_eq(jwk->crv, STR("Ed25519")))
        return refuse(e, "an OKP key whose crv is not Ed25519");
    if (!read_number(jwk->x, &x) || x.len != ED25519_SIZE)
        return refuse(e, "the key's x is missing or malformed");
    return wrap(EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.bytes, x.len), e);
}

static struct verify_key *read_oct(const struct jwk *jwk, struct error *e)
{
    struct number k;

    if (!read_number(jwk->k, &k))
        return refuse(e, "the secret's k is missing or malformed");
    struct verify_key *key = verify_key_from_secret((struct str){(const char *)k.bytes, k.len}, e);
    OPENSSL_cleanse(&k, sizeof k);
    return key;
}

static struct verify_key *read_jwk(const struct jwk *jwk, struct error *e)
{
    if (jwk->d.len > 0)
        return refuse(e, is_private);
    if (str_eq(jwk->kty, STR("RSA")))
        return read_rsa(jwk, e);
    if (str_eq(jwk->kty, STR("EC")))
        return read_p256(jwk, e);
    if (str_eq(jwk->kty, STR("OKP")))
        return read_ed25519(jwk, e);
    if (str_eq(jwk->kty, STR("oct")))
        return read_oct(jwk, e);
    return refuse(e, "a key whose kty is none of RSA, EC, OKP and oct");
}

struct verify_key *verify_key_from_jwk(const struct jwk *jwk, struct error *e)
{
    ERR_set_mark();
    struct verify_key *key = read_jwk(jwk, e);
    ERR_pop_to_mark();
    return key;
}

/* --- the rest --- */

void verify_key_free(struct verify_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->public_key);
    if (key->secret != NULL)
        OPENSSL_cleanse(key->secret, key->secret_len);
    free(key->secret);
    free(key);
}

const char *verify_key_algorithm(const struct verify_key *key)
{
    static const char *const names[] = {
        [VERIFY_HS256] = "HS256", [VERIFY_RS256] = "RS256", [VERIFY_ES256] = "ES256", [VERIFY_EDDSA] = "EdDSA"};

    return names[key->algorithm];
}
