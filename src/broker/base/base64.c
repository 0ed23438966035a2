#include "base/base64.h"

static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static char character(enum base64_alphabet alphabet, unsigned value)
{
    if (value < 62)
        return common[value];
    return (alphabet == BASE64_URL ? "-_" : "+/")[value - 62];
}

static int value_of(enum base64_alphabet alphabet, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (alphabet == BASE64_URL ? '-' : '+'))
        return 62;
    return c == (alphabet == BASE64_URL ? '_' : '/') ? 63 : -1;
}

void base64_encode(char *out, enum base64_alphabet alphabet, struct str bytes)
{
    unsigned held = 0; /* the bits that are read and not written yet, lowest */
    int bits = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        held = (held << 8 | (unsigned char)bytes.ptr[i]) & 0xffff;
        for (bits += 8; bits >= 6; bits -= 6)
            *out++ = character(alphabet, held >> (bits - 6) & 63);
    }
    if (bits > 0)
        *out = character(alphabet, held << (6 - bits) & 63);
}

bool base64_decode(unsigned char *out, enum base64_alphabet alphabet, struct str text)
{
    unsigned held = 0;
    int bits = 0;

    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(alphabet, text.ptr[i]);
        if (value < 0)
            return false;
        held = (held << 6 | (unsigned)value) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (unsigned char)(held >> bits & 0xff);
        }
    }
    return text.len % 4 != 1 && (held & ((1u << bits) - 1)) == 0;
}
