/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "card.h"
#include "hex.h"
#include "macros.h"
#include "packet.h"

#define CARD_SCHEME       "meshcore://"
#define CARD_CONTACT_PATH "contact/add?"
#define CARD_CHANNEL_PATH "channel/add?"
#define NODE_TYPE_LAST    15

/* Which parameters were there. */
enum {
        SEEN_NAME = 1 << 0,
        SEEN_PUBLIC_KEY = 1 << 1,
        SEEN_TYPE = 1 << 2,
        SEEN_SECRET = 1 << 3,
        SEEN_REGION_SCOPE = 1 << 4,
};

static int parse_advert(const char *digits, Card *card) {
        Packet packet;
        Advert advert;
        int n;

        n = hex_decode(digits, strlen(digits), card->packet, sizeof(card->packet));
        if (n < 0)
                return n == -E2BIG ? -EMSGSIZE : -EINVAL;

        if (packet_decode((Slice){card->packet, (size_t) n}, &packet) < 0 ||
            advert_decode(&packet, &advert) < 0)
                return -EINVAL;

        card->kind = CARD_ADVERT;
        card->packet_size = (size_t) n;
        return 0;
}

static bool is_text(const char *text) {
        if (!g_utf8_validate(text, -1, NULL))
                return false;
        for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
                if (g_unichar_iscntrl(g_utf8_get_char(p)))
                        return false;
        return true;
}

/* Undoes %XX and '+' of a query. Writes at most capacity - 1 bytes and a NUL. */
static int percent_decode(const char *text, size_t size, char *ret, size_t capacity) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++) {
                char c = text[i];

                if (c == '+')
                        c = ' ';
                else if (c == '%') {
                        if (size - i < 3 || hex_decode(text + i + 1, 2, &c, 1) < 0 || c == '\0')
                                return -EINVAL;
                        i += 2;
                }
                if (n + 1 >= capacity)
                        return -EMSGSIZE;
                ret[n++] = c;
        }

        ret[n] = '\0';
        return is_text(ret) ? 0 : -EINVAL;
}

static int parse_hex_field(const char *value, size_t size, uint8_t *ret, size_t want) {
        if (size != 2 * want || hex_decode(value, size, ret, want) < 0)
                return -EINVAL;
        return 0;
}

static int parse_type(const char *value, size_t size, uint8_t *ret) {
        unsigned type = 0;

        if (size < 1 || size > 2)
                return -EINVAL;
        for (size_t i = 0; i < size; i++) {
                if (!g_ascii_isdigit(value[i]))
                        return -EINVAL;
                type = type * 10 + (unsigned) (value[i] - '0');
        }
        if (type < 1 || type > NODE_TYPE_LAST)
                return -EINVAL;

        *ret = (uint8_t) type;
        return 0;
}

static unsigned parameter_bit(const char *name, size_t size) {
        static const struct {
                const char *name;
                unsigned bit;
        } table[] = {
                        {"name", SEEN_NAME},     {"public_key", SEEN_PUBLIC_KEY},     {"type", SEEN_TYPE},
                        {"secret", SEEN_SECRET}, {"region_scope", SEEN_REGION_SCOPE},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (strlen(table[i].name) == size && memcmp(table[i].name, name, size) == 0)
                        return table[i].bit;
        return 0;
}

static int parse_value(unsigned bit, const char *value, size_t size, Card *card) {
        switch (bit) {
        case SEEN_NAME:
                return percent_decode(value, size, card->name, sizeof(card->name));
        case SEEN_PUBLIC_KEY:
                return parse_hex_field(value, size, card->public_key.bytes, sizeof(card->public_key.bytes));
        case SEEN_TYPE:
                return parse_type(value, size, &card->type);
        case SEEN_SECRET:
                return parse_hex_field(value, size, card->secret, sizeof(card->secret));
        case SEEN_REGION_SCOPE:
                return percent_decode(value, size, card->region_scope, sizeof(card->region_scope));
        default:
                return 0;
        }
}

static int parse_query(const char *query, unsigned known, unsigned *ret_seen, Card *card) {
        unsigned seen = 0;
        int r;

        while (*query != '\0') {
                size_t size = strcspn(query, "&");
                const char *equals = memchr(query, '=', size);

                if (equals) {
                        size_t name_size = (size_t) (equals - query);
                        unsigned bit = parameter_bit(query, name_size) & known;

                        if (seen & bit)
                                return -EINVAL;
                        r = parse_value(bit, equals + 1, size - name_size - 1, card);
                        if (r < 0)
                                return r;
                        seen |= bit;
                }

                query += size;
                if (*query == '&')
                        query++;
        }

        *ret_seen = seen;
        return 0;
}

static int parse_form(CardKind kind, const char *query, unsigned needed, unsigned optional, Card *card) {
        unsigned seen;
        int r;

        r = parse_query(query, needed | optional, &seen, card);
        if (r < 0)
                return r;
        if ((seen & needed) != needed)
                return -EINVAL;

        card->kind = kind;
        return 0;
}

int card_parse(const char *text, Card *ret) {
        Card card = {};
        int r;

        if (strnlen(text, CARD_URI_SIZE_MAX) == CARD_URI_SIZE_MAX)
                return -EMSGSIZE;
        if (!g_str_has_prefix(text, CARD_SCHEME))
                return -EINVAL;
        text += strlen(CARD_SCHEME);

        if (g_str_has_prefix(text, CARD_CONTACT_PATH))
                r = parse_form(CARD_CONTACT, text + strlen(CARD_CONTACT_PATH),
                               SEEN_NAME | SEEN_PUBLIC_KEY | SEEN_TYPE, 0, &card);
        else if (g_str_has_prefix(text, CARD_CHANNEL_PATH))
                r = parse_form(CARD_CHANNEL, text + strlen(CARD_CHANNEL_PATH), SEEN_NAME | SEEN_SECRET,
                               SEEN_REGION_SCOPE, &card);
        else
                r = parse_advert(text, &card);
        if (r < 0)
                return r;

        *ret = card;
        return 0;
}

/* -- printing -- */

static void put_text(ByteWriter *w, const char *text) {
        writer_bytes(w, text, strlen(text));
}

static void put_hex(ByteWriter *w, const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i++) {
                char digits[3];

                hex_encode(&data[i], 1, digits);
                writer_bytes(w, digits, 2);
        }
}

static void put_encoded(ByteWriter *w, const char *text) {
        static const char digits[] = "0123456789ABCDEF"; /* upper case: RFC 3986 */

        for (const char *p = text; *p != '\0'; p++) {
                if (g_ascii_isalnum(*p) || strchr("-._~", *p))
                        writer_u8(w, (uint8_t) *p);
                else {
                        writer_u8(w, '%');
                        writer_u8(w, (uint8_t) digits[(uint8_t) *p >> 4]);
                        writer_u8(w, (uint8_t) digits[*p & 15]);
                }
        }
}

static void put_number(ByteWriter *w, unsigned n) {
        if (n >= 10)
                writer_u8(w, (uint8_t) ('0' + n / 10));
        writer_u8(w, (uint8_t) ('0' + n % 10));
}

static int print_body(const Card *card, ByteWriter *w) {
        switch (card->kind) {
        case CARD_ADVERT:
                if (card->packet_size == 0 || card->packet_size > sizeof(card->packet))
                        return -EINVAL;
                put_hex(w, card->packet, card->packet_size);
                return 0;
        case CARD_CONTACT:
                if (card->type < 1 || card->type > NODE_TYPE_LAST || !is_text(card->name))
                        return -EINVAL;
                put_text(w, CARD_CONTACT_PATH "name=");
                put_encoded(w, card->name);
                put_text(w, "&public_key=");
                put_hex(w, card->public_key.bytes, sizeof(card->public_key.bytes));
                put_text(w, "&type=");
                put_number(w, card->type);
                return 0;
        case CARD_CHANNEL:
                if (!is_text(card->name) || !is_text(card->region_scope))
                        return -EINVAL;
                put_text(w, CARD_CHANNEL_PATH "name=");
                put_encoded(w, card->name);
                put_text(w, "&secret=");
                put_hex(w, card->secret, sizeof(card->secret));
                if (card->region_scope[0] != '\0') {
                        put_text(w, "&region_scope=");
                        put_encoded(w, card->region_scope);
                }
                return 0;
        default:
                return -EINVAL;
        }
}

int card_print(const Card *card, char *ret, size_t capacity) {
        ByteWriter w;
        int r;

        writer_init(&w, ret, capacity);
        put_text(&w, CARD_SCHEME);
        r = print_body(card, &w);
        if (r < 0)
                return r;

        writer_u8(&w, '\0');
        return w.overrun ? -EMSGSIZE : (int) w.size - 1;
}
