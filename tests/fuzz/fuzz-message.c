/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fuzz-message.h"
#include "fuzz.h"
#include "macros.h"

#define DEPTH_MAX 8
#define BODY_MAX  (96u * 1024) /* what fits a socket at once */

static void append(GByteArray *m, const void *data, size_t size) {
        if (size > 0)
                g_byte_array_append(m, data, (unsigned) size);
}

static void pad(GByteArray *m, size_t align) {
        static const uint8_t zeros[8];

        append(m, zeros, (align - m->len % align) % align);
}

static void append_number(GByteArray *m, uint64_t number, size_t size) {
        uint8_t bytes[8];

        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t) (number >> 8 * i);
        pad(m, size);
        append(m, bytes, size);
}

static void append_text(GByteArray *m, const void *text, size_t size) {
        append_number(m, size, 4);
        append(m, text, size);
        append(m, "", 1);
}

static void append_signature(GByteArray *m, const char *signature) {
        const uint8_t size = (uint8_t) strlen(signature);

        append(m, &size, 1);
        append(m, signature, size + 1u);
}

/* -- the message ---------------------------------------------------------------- */

static void append_field(GByteArray *m, uint8_t code, const char *type, const char *text) {
        if (!text)
                return;
        pad(m, 8);
        append(m, &code, 1);
        append_signature(m, type);
        if (type[0] == 'g')
                append_signature(m, text);
        else
                append_text(m, text, strlen(text));
}

GByteArray *fuzz_message_new(const FuzzHeader *header, const uint8_t *body, size_t size) {
        const uint8_t head[] = {'l', header->type, header->flags, 1};
        const uint8_t reply_serial = 5;
        GByteArray *m = g_byte_array_new();
        uint32_t length;

        append(m, head, sizeof(head));
        append_number(m, size, 4);
        append_number(m, header->serial, 4);
        append_number(m, 0, 4); /* of the fields: below */
        append_field(m, 1, "o", header->path);
        append_field(m, 2, "s", header->interface);
        append_field(m, 3, "s", header->member);
        append_field(m, 4, "s", header->error);
        if (header->reply_serial > 0) {
                pad(m, 8);
                append(m, &reply_serial, 1);
                append_signature(m, "u");
                append_number(m, header->reply_serial, 4);
        }
        append_field(m, 6, "s", header->destination);
        append_field(m, 7, "s", header->sender);
        append_field(m, 8, "g", header->signature && header->signature[0] ? header->signature : NULL);
        length = GUINT32_TO_LE(m->len - 16);
        memcpy(m->data + 12, &length, sizeof(length));
        pad(m, 8);
        append(m, body, size);
        return m;
}

/* -- the body ------------------------------------------------------------------- */

static const char *end_of_type(const char *signature) {
        int depth = 0;

        do {
                while (*signature == 'a')
                        signature++;
                depth += (*signature == '(' || *signature == '{') - (*signature == ')' || *signature == '}');
                signature++;
        } while (depth > 0);
        return signature;
}

static size_t align_of(char type) {
        switch (type) {
        case 'y':
        case 'g':
        case 'v':
                return 1;
        case 'n':
        case 'q':
                return 2;
        case 'x':
        case 't':
        case 'd':
        case '(':
        case '{':
                return 8;
        default:
                return 4;
        }
}

static void append_any_number(GByteArray *m, FuzzInput *in, size_t size) {
        static const uint64_t numbers[] = {
                        0,    1,         2,         3,          7,         255,        256,
                        1000, INT16_MAX, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX,
        };
        const unsigned choice = fuzz_byte(in);

        if (choice < ELEMENTSOF(numbers))
                append_number(m, numbers[choice], size);
        else if (choice < 128)
                append_number(m, choice, size);
        else
                append_number(m, fuzz_number(in, size), size);
}

static void append_double(GByteArray *m, FuzzInput *in) {
        static const double numbers[] = {0, -0.0, 0.5, -1, 47.25, 90, -90.5, 180, 1e9, -1e308};
        const unsigned choice = fuzz_byte(in);
        uint64_t bits = 0;

        if (choice < ELEMENTSOF(numbers))
                memcpy(&bits, &numbers[choice], sizeof(bits));
        else
                bits = fuzz_number(in, 8) << (choice & 56); /* infinity and no number are easily met */
        append_number(m, bits, 8);
}

static void append_any_text(GByteArray *m, FuzzInput *in, const char *const *words) {
        const unsigned choice = fuzz_byte(in);
        const uint8_t *raw;
        size_t n;

        if (choice < 160) {
                const char *word = words[choice % g_strv_length((char **) words)];

                append_text(m, word, strlen(word));
        } else if (choice < 224) {
                raw = fuzz_bytes(in, choice - 160, &n);
                append_text(m, raw, n);
        } else if (choice < 254) {
                g_autofree char *huge = NULL;

                n = (choice - 223u) * (fuzz_byte(in) + 1u);
                huge = g_strnfill(n, 'a' + (char) (choice % 26));
                append_text(m, huge, n);
        } else {
                /* its length is a lie */
                append_number(m, fuzz_number(in, 4), 4);
                append(m, "lie", 4);
        }
}

static void append_bytes(GByteArray *m, FuzzInput *in) {
        static const uint8_t sizes[] = {0, 1, 2, 6, 16, 31, 32, 33, 64, 96};
        const unsigned choice = fuzz_byte(in);
        g_autofree uint8_t *filled = NULL;
        const uint8_t *raw;
        size_t n;

        if (choice < 128) {
                raw = fuzz_bytes(in, choice, &n);
                append_number(m, n, 4);
                append(m, raw, n);
                return;
        }
        n = choice < 192 ? sizes[choice % ELEMENTSOF(sizes)] : (choice - 191u) * 16u;
        filled = g_malloc(n + 1);
        memset(filled, fuzz_byte(in), n);
        append_number(m, n, 4);
        append(m, filled, n);
}

static void append_value(GByteArray *m, FuzzInput *in, const char *type, const FuzzWords *words,
                         unsigned depth);

static void append_values(GByteArray *m, FuzzInput *in, const char *signature, const char *end,
                          const FuzzWords *words, unsigned depth) {
        for (; signature < end; signature = end_of_type(signature))
                append_value(m, in, signature, words, depth);
}

static void append_variant(GByteArray *m, FuzzInput *in, const char *signature, const FuzzWords *words,
                           unsigned depth) {
        static const char *const any[] = {
                        "s",    "b",  "y",     "u", "t",  "v",   "o",      "ay",      "i",
                        "d",    "q",  "n",     "x", "as", "aay", "(dd)",   "a{sv}",   "aa{sv}",
                        "(sv)", "ao", "a{ss}", "g", "h",  "av",  "aaaaay", "(((y)))",
        };

        if (!signature || depth >= DEPTH_MAX)
                signature = any[depth >= DEPTH_MAX ? 0 : fuzz_choice(in, ELEMENTSOF(any))];
        append_signature(m, signature);
        append_value(m, in, signature, words, depth + 1);
}

/* One key with its value: as the method wants it, or not at all. */
static void append_option(GByteArray *m, FuzzInput *in, const FuzzWords *words, unsigned depth) {
        const unsigned choice = fuzz_byte(in);
        g_autofree char *type = NULL;
        size_t n = 0;

        while (words->options && words->options[n].key)
                n++;
        pad(m, 8);
        if (n == 0 || choice >= 224) {
                append_any_text(m, in, words->texts);
                append_variant(m, in, NULL, words, depth);
                return;
        }

        const FuzzOption *option = words->options + choice % n;

        append_text(m, option->key, strlen(option->key));
        /* One of several basic types, or one whole other type. */
        if (strpbrk(option->types, "(a"))
                type = g_strdup(option->types);
        else
                type = g_strndup(option->types + choice / n % strlen(option->types), 1);
        append_variant(m, in, choice >= 208 ? NULL : type, words, depth);
}

static void append_array(GByteArray *m, FuzzInput *in, const char *type, const FuzzWords *words,
                         unsigned depth) {
        const unsigned choice = fuzz_byte(in);
        const char *end = end_of_type(type);
        const size_t n = choice < 248 ? choice % 8 : 1u << (choice - 244), at = m->len + (4 - m->len % 4) % 4;
        uint32_t size;
        size_t start;

        append_number(m, 0, 4);
        pad(m, align_of(type[0]));
        start = m->len;
        for (size_t i = 0; i < n && m->len < BODY_MAX; i++) {
                if (g_str_has_prefix(type, "{sv}"))
                        append_option(m, in, words, depth);
                else
                        append_values(m, in, type, end, words, depth + 1);
        }
        size = GUINT32_TO_LE((uint32_t) (m->len - start));
        memcpy(m->data + at, &size, sizeof(size));
}

static void append_value(GByteArray *m, FuzzInput *in, const char *type, const FuzzWords *words,
                         unsigned depth) {
        static const char *const signatures[] = {"", "s", "a{sv}", "(", "aaaaaaaa", "z"};
        FuzzInput none = {};

        if (m->len >= BODY_MAX || depth > 2 * DEPTH_MAX)
                in = &none;
        switch (type[0]) {
        case 's':
                append_any_text(m, in, words->texts);
                break;
        case 'o':
                append_any_text(m, in, words->paths);
                break;
        case 'g':
                append_signature(m, signatures[fuzz_choice(in, ELEMENTSOF(signatures))]);
                break;
        case 'd':
                append_double(m, in);
                break;
        case 'v':
                append_variant(m, in, NULL, words, depth);
                break;
        case 'a':
                if (type[1] == 'y')
                        append_bytes(m, in);
                else
                        append_array(m, in, type + 1, words, depth);
                break;
        case '(':
        case '{':
                pad(m, 8);
                append_values(m, in, type + 1, end_of_type(type) - 1, words, depth + 1);
                break;
        default:
                append_any_number(m, in, align_of(type[0]));
        }
}

void fuzz_body_append(GByteArray *body, FuzzInput *in, const char *signature, const FuzzWords *words) {
        append_values(body, in, signature, signature + strlen(signature), words, 0);
}
