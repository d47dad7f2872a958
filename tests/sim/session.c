/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "macros.h"
#include "transcript.h"

#define CONTACT_SIZE 148
#define BOOT_MSEC    1000000
#define CLOCK_BYTE                                                                              \
        0x6b /* all radios lived in the same weeks: so a tag that is a time is told from others \
              */

typedef struct Session {
        const SessionSpec *spec;
        Transcript *records;
        bool *announced; /* messages that a push told of */
        Engine *engine;
        Port *port;
        GQueue emitted; /* GBytes */
        guint at;
        uint64_t now;
        unsigned compared, n_waiting;
        bool knows_key;      /* the private key */
        bool silent;         /* the radio believes that nobody listens */
        uint32_t engine_tag; /* of the last answer 6 */
} Session;

/* reading */

static char *transcript_path(const char *name) {
        g_autofree char *file = g_strconcat(name, ".jsonl", NULL);

        return g_build_filename(getenv("MESHCORED_TRANSCRIPTS") ?: "tests/data/transcripts", file, NULL);
}

static Transcript *read_transcript(const char *name) {
        g_autofree char *path = transcript_path(name);
        Transcript *transcript = NULL;

        ck_assert_msg(transcript_load(path, &transcript) == 0, "cannot read %s", path);
        return transcript;
}

static uint32_t u32_at(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

/* the radio that was recorded */

static bool on_write(void *userdata, const uint8_t *frame, size_t size) {
        Session *s = userdata;

        return port_write_frame(s->port, frame, size);
}

static bool on_is_connected(void *userdata) {
        Session *s = userdata;

        return !s->silent && port_is_connected(s->port);
}

static void on_restart(void *userdata, bool factory_reset) {
        Session *s = userdata;

        port_reset(s->port);
}

static void on_command(void *userdata, const uint8_t *frame, size_t size) {
        Session *s = userdata;

        engine_command(s->engine, frame, size);
}

static bool on_step(void *userdata) {
        Session *s = userdata;

        return engine_step(s->engine);
}

static void on_emit(void *userdata, const uint8_t *frame, size_t size) {
        Session *s = userdata;

        g_queue_push_tail(&s->emitted, g_bytes_new(frame, size));
}

static bool on_may_emit(void *userdata) {
        Session *s = userdata;

        return g_queue_is_empty(&s->emitted);
}

static void learn_contacts(Session *s) {
        g_auto(GStrv) others = s->spec->contacts ? g_strsplit(s->spec->contacts, ",", -1) : NULL;

        if (!others)
                transcript_teach_contacts(s->records, s->engine, false);
        for (char **other = others; other && *other; other++) {
                g_autoptr(Transcript) told = read_transcript(*other);

                transcript_teach_contacts(told, s->engine, true);
        }
}

/* "PREFIX=LENGTH AND PATH", in hex: what the radio knew at the beginning. */
static void learn_paths(Session *s) {
        g_auto(GStrv) paths = g_strsplit(s->spec->paths ?: "", ",", -1);

        for (char **path = paths; *path; path++) {
                size_t digits = strcspn(*path, "=");
                uint8_t prefix[PUBLIC_KEY_SIZE], bytes[1 + PATH_SIZE_MAX] = {};
                const EngineContact *contact;
                int n = hex_decode(*path, digits, prefix, sizeof(prefix));

                ck_assert_int_gt(n, 0);
                ck_assert_int_gt(hex_decode(*path + digits + 1, strlen(*path + digits + 1), bytes,
                                            sizeof(bytes)),
                                 0);
                for (size_t i = 0; (contact = engine_contact_at(s->engine, i)); i++) {
                        EngineContact changed = *contact;

                        if (memcmp(contact->key.bytes, prefix, (size_t) n) != 0)
                                continue;
                        changed.out_path_len = bytes[0];
                        memcpy(changed.out_path, bytes + 1, PATH_SIZE_MAX);
                        ck_assert_int_eq(engine_put_contact(s->engine, &changed), 0);
                }
        }
}

/* Each push announces one message; what is handed over beyond that came
 * while nobody listened. */
static void mark_announced(const Session *s) {
        unsigned announced = 0;

        for (guint i = 0; i < transcript_length(s->records); i++) {
                const TranscriptRecord *record = transcript_at(s->records, i);

                if (transcript_is(record, PUSH_MSG_WAITING))
                        announced++;
                if (transcript_is_message(record) && announced > 0) {
                        s->announced[i] = true;
                        announced--;
                }
        }
}

static void queue_silently(Session *s, const TranscriptRecord *record) {
        s->silent = true;
        engine_queue_frame(s->engine, record->frame, record->frame_size);
        s->silent = false;
}

/* Messages that were there when the recording began. */
static void learn_messages(Session *s) {
        for (guint i = 0; i < transcript_length(s->records); i++) {
                const TranscriptRecord *record = transcript_at(s->records, i);

                if (record->connection != transcript_at(s->records, 0)->connection || s->announced[i])
                        break;
                if (transcript_is_message(record)) {
                        queue_silently(s, record);
                        s->n_waiting++;
                }
        }
}

static const TranscriptRecord *effect(const Session *s, guint from, uint8_t code) {
        for (guint i = from + 1; i < transcript_length(s->records); i++) {
                const TranscriptRecord *record = transcript_at(s->records, i);

                if (record->from_app || record->frame_size == 0)
                        continue;
                if (record->frame[0] == PUSH_LOG_RX_DATA)
                        return NULL;
                if (record->frame[0] == code)
                        return record;
        }

        return NULL;
}

/* Adverts that had no effect: the radio knew newer ones. */
static void learn_adverts(Session *s) {
        for (guint i = 0; i < transcript_length(s->records); i++) {
                const TranscriptRecord *record = transcript_at(s->records, i);
                const EngineContact *known;
                EngineContact changed;
                AirPacket packet;
                AirAdvert advert;

                if (!transcript_is(record, PUSH_LOG_RX_DATA) ||
                    air_parse(record->frame + 3, record->frame_size - 3, &packet) < 0 ||
                    air_read_advert(&packet, &advert) < 0 || effect(s, i, PUSH_ADVERT) ||
                    effect(s, i, PUSH_NEW_ADVERT))
                        continue;
                known = engine_find_contact(s->engine, &advert.key);
                if (!known)
                        continue;
                changed = *known;
                changed.last_advert = MAX(changed.last_advert, advert.timestamp);
                ck_assert_int_eq(engine_put_contact(s->engine, &changed), 0);
        }
}

/* A table without a free place: first the contact that has to go. */
static void fill_table(Session *s) {
        const TranscriptRecord *deleted = transcript_find(s->records, PUSH_CONTACT_DELETED);
        EngineContact filler = {.type = NODE_CHAT, .out_path_len = PATH_LEN_NONE, .lastmod = 1};
        const TranscriptRecord *added = transcript_find(s->records, PUSH_NEW_ADVERT);

        memcpy(filler.key.bytes, deleted->frame + 1, PUBLIC_KEY_SIZE);
        ck_assert_int_eq(engine_put_contact(s->engine, &filler), 0);
        learn_contacts(s);
        memcpy(filler.key.bytes, added->frame + 1, PUBLIC_KEY_SIZE);
        ck_assert_int_eq(engine_remove_contact(s->engine, &filler.key), 0);
        memset(&filler.key, 0x42, sizeof(filler.key));

        for (filler.lastmod = 2; engine_put_contact(s->engine, &filler) == 0; filler.lastmod++) {
                memcpy(filler.key.bytes + 4, &filler.lastmod, sizeof(filler.lastmod));
        }
}

static void forget_emitted(Session *s) {
        g_queue_clear_full(&s->emitted, (GDestroyNotify) g_bytes_unref);
}

static void session_setup(Session *s) {
        static const EngineCallbacks engine_callbacks = {
                        .write_frame = on_write, .is_connected = on_is_connected, .restart = on_restart};
        static const PortCallbacks port_callbacks = {
                        .command = on_command, .step = on_step, .emit = on_emit, .may_emit = on_may_emit};
        g_autofree char *name = NULL;
        EngineConfig config = {
                        .firmware = s->spec->firmware,
                        .seed = 1,
                        .queue_size = s->spec->kind == PORT_WIFI ? 256 : 16,
                        .max_contacts = 350,
                        .max_channels = 40,
                        .speed = s->spec->speed > 0 ? s->spec->speed : 8,
                        .has_sensors = true,
        };

        transcript_configure(s->records, &config, &name);
        ck_assert_int_eq(config.firmware, s->spec->firmware);
        s->port = port_new(s->spec->kind, engine_firmware_frame_max(s->spec->firmware), &port_callbacks, s);
        s->now = BOOT_MSEC;
        s->engine = engine_new(&config, &engine_callbacks, s, s->now);
        transcript_teach_settings(s->records, s->engine);
        if (s->spec->flags & SESSION_FULL)
                fill_table(s);
        else if (!(s->spec->flags & SESSION_EMPTY))
                learn_contacts(s);
        learn_paths(s);
        learn_adverts(s);
        transcript_teach_channels(s->records, s->engine);
        transcript_teach_cards(s->records, s->engine);
        learn_messages(s);
        forget_emitted(s);
        port_connect(s->port);
}

/* packets for the radio whose private key is unknown */

/* The message that record number from brought: the n-th announced is the n-th
 * announced that is handed over. */
static const TranscriptRecord *message_of(const Session *s, guint from) {
        unsigned announced = 0, handed = 0;

        for (guint i = 0; i <= from; i++) {
                const TranscriptRecord *record = transcript_at(s->records, i);

                announced += transcript_is(record, PUSH_LOG_RX_DATA) &&
                             effect(s, i, PUSH_MSG_WAITING) != NULL;
        }
        for (guint i = 0; i < transcript_length(s->records); i++) {
                const TranscriptRecord *record = transcript_at(s->records, i);

                if (transcript_is_message(record) && s->announced[i] && ++handed == announced)
                        return record;
        }

        return NULL;
}

static size_t answer_plain(const Session *s, guint from, uint8_t *ret) {
        const TranscriptRecord *record;
        ByteWriter w;

        writer_init(&w, ret, PACKET_PAYLOAD_MAX);
        if ((record = effect(s, from, PUSH_LOGIN_SUCCESS))) {
                writer_bytes(&w, record->frame + 8, 4);
                writer_zeroes(&w, 2);
                writer_u8(&w, record->frame[1]);
                writer_u8(&w, record->frame[12]);
                writer_zeroes(&w, 4);
                writer_u8(&w, record->frame_size > 13 ? record->frame[13] : 0);
        } else if ((record = effect(s, from, PUSH_BINARY_RESPONSE))) {
                writer_bytes(&w, record->frame + 2, record->frame_size - 2);
        } else if ((record = effect(s, from, PUSH_STATUS_RESPONSE)) ||
                   (record = effect(s, from, PUSH_TELEMETRY_RESPONSE))) {
                writer_u32le(&w, s->engine_tag);
                writer_bytes(&w, record->frame + 8, record->frame_size - 8);
        }

        return w.size;
}

static size_t text_plain(const Session *s, guint from, uint8_t *ret) {
        const TranscriptRecord *record = effect(s, from, PUSH_MSG_WAITING) ? message_of(s, from) : NULL;
        ByteWriter w;
        size_t head;

        writer_init(&w, ret, PACKET_PAYLOAD_MAX);
        if (!record)
                return 0;

        head = record->frame[0] == RESP_CONTACT_MSG_RECV_V3 ? 11 : 8;
        writer_bytes(&w, record->frame + head + 1, 4);
        writer_u8(&w, (uint8_t) (record->frame[head] << 2));
        writer_bytes(&w, record->frame + head + 5, record->frame_size - head - 5);
        return w.size;
}

/* The path that the radio learned: told by a later look at the contact, or
 * the way that the packet came. */
static size_t put_learned_path(const Session *s, guint from, const AirPacket *packet, const PublicKey *key,
                               ByteWriter *w) {
        size_t size = air_path_hash_size(packet->path_len), hops = air_path_hops(packet->path_len);
        const TranscriptRecord *found = effect(s, from, PUSH_PATH_DISCOVERY_RESPONSE);

        if (found) {
                writer_bytes(w, found->frame + 8, 1 + air_path_bytes(found->frame[8]));
                return w->size;
        }

        writer_u8(w, packet->path_len);
        for (size_t i = hops; i > 0; i--)
                writer_bytes(w, packet->path + (i - 1) * size, size);
        return w->size;
}

static size_t path_plain(const Session *s, guint from, const AirPacket *packet, const PublicKey *key,
                         uint8_t *ret) {
        const TranscriptRecord *confirmed = effect(s, from, PUSH_SEND_CONFIRMED);
        uint8_t answer[PACKET_PAYLOAD_MAX];
        size_t size = answer_plain(s, from, answer);
        ByteWriter w;

        if (!effect(s, from, PUSH_PATH_UPDATED) && !effect(s, from, PUSH_PATH_DISCOVERY_RESPONSE))
                return 0;

        writer_init(&w, ret, PACKET_PAYLOAD_MAX);
        (void) put_learned_path(s, from, packet, key, &w);
        if (effect(s, from, PUSH_PATH_DISCOVERY_RESPONSE)) {
                writer_u8(&w, PAYLOAD_RESPONSE);
                writer_u32le(&w, s->engine_tag);
                writer_zeroes(&w, 4);
        } else if (confirmed) {
                writer_u8(&w, PAYLOAD_ACK);
                writer_bytes(&w, confirmed->frame + 1, 4);
        } else if (size > 0) {
                writer_u8(&w, PAYLOAD_RESPONSE);
                writer_bytes(&w, answer, size);
        } else {
                writer_u8(&w, 0xFF);
                writer_zeroes(&w, 4);
        }

        return w.size;
}

static const EngineContact *contact_by_hash(const Session *s, uint8_t hash) {
        const EngineContact *contact;

        for (size_t i = 0; (contact = engine_contact_at(s->engine, i)); i++)
                if (contact->key.bytes[0] == hash)
                        return contact;

        return NULL;
}

/* The same packet, with what the recording tells about its inside. */
static void recrypt(const Session *s, guint from, AirPacket *packet) {
        const SimIdentity *own = engine_identity(s->engine);
        const EngineContact *contact = contact_by_hash(s, packet->payload[1]);
        uint8_t plain[PACKET_PAYLOAD_MAX], secret[SIM_SECRET_SIZE];
        size_t size = 0, room = packet->payload_len - 2 - SIM_MAC_SIZE;

        if (!contact || packet->payload[0] != own->key.bytes[0])
                return;

        switch (air_type(packet)) {
        case PAYLOAD_TXT_MSG:
                size = text_plain(s, from, plain);
                break;
        case PAYLOAD_RESPONSE:
                size = answer_plain(s, from, plain);
                break;
        case PAYLOAD_PATH:
                size = path_plain(s, from, packet, &contact->key, plain);
                break;
        default:
                break;
        }
        if (size == 0)
                return;

        sim_shared_secret(own, &contact->key, secret);
        packet->payload_len = 2 + sim_encrypt(secret, (Slice){plain, MIN(size, room)}, packet->payload + 2);
}

static void inject(Session *s, guint from) {
        const TranscriptRecord *record = transcript_at(s->records, from);
        uint8_t raw[PACKET_SIZE_MAX];
        size_t size = record->frame_size - 3;
        AirPacket packet;

        memcpy(raw, record->frame + 3, size);
        if (s->spec->flags & SESSION_RECRYPT && air_parse(raw, size, &packet) == 0 &&
            packet.payload_len > 4) {
                recrypt(s, from, &packet);
                size = air_format(&packet, raw);
        }

        engine_receive(s->engine, raw, size, (int8_t) record->frame[1], (int8_t) record->frame[2]);
}

/* comparing */

static bool is_near(uint32_t a, uint32_t b, uint32_t slack) {
        return (a > b ? a - b : b - a) <= slack;
}

static bool equal_but(const uint8_t *a, const uint8_t *b, size_t size, size_t from, size_t to) {
        return memcmp(a, b, MIN(from, size)) == 0 && (to >= size || memcmp(a + to, b + to, size - to) == 0);
}

/* Whether got is what the firmware would have said, except for time, random
 * bytes, signal values and counters. */
static bool is_same(const Session *s, const TranscriptRecord *expected, const uint8_t *got, size_t size) {
        const uint8_t *want = expected->frame;

        if (size != expected->frame_size || got[0] != want[0])
                return false;

        switch (want[0]) {
        case RESP_CURR_TIME:
        case RESP_END_OF_CONTACTS:
                return is_near(u32_at(got + 1), u32_at(want + 1), 2);
        case RESP_ADVERT_PATH:
                return is_near(u32_at(got + 1), u32_at(want + 1), 2) && equal_but(got, want, size, 1, 5);
        case RESP_BATT_AND_STORAGE:
                return equal_but(got, want, size, 3, 7);
        case RESP_CONTACT:
        case PUSH_NEW_ADVERT:
                return is_near(u32_at(got + 144), u32_at(want + 144), 2) &&
                       equal_but(got, want, size, 144, 148);
        case RESP_SELF_INFO:
                if (s->spec->flags & SESSION_NEW_KEY && memcmp(got + 4, want + 4, PUBLIC_KEY_SIZE) != 0)
                        return equal_but(got, want, size, 4, 4 + PUBLIC_KEY_SIZE) ||
                               equal_but(got, want, 58, 4, 4 + PUBLIC_KEY_SIZE);
                return memcmp(got, want, size) == 0;
        case RESP_SENT:
                if (got[1] != want[1] || memcmp(got + 6, want + 6, 4) != 0)
                        return false;
                return memcmp(got + 2, want + 2, 4) == 0 || is_near(u32_at(got + 2), u32_at(want + 2), 3);
        case RESP_EXPORT_CONTACT:
                /* own cards are signed anew */
                if (memcmp(want + 3, engine_identity(s->engine)->key.bytes, PUBLIC_KEY_SIZE) == 0)
                        return equal_but(got, want, size, 35, 35 + 4 + SIGNATURE_SIZE);
                return memcmp(got, want, size) == 0;
        case RESP_SIGNATURE:
                return !s->knows_key || memcmp(got, want, size) == 0;
        case RESP_PRIVATE_KEY:
                return !s->knows_key || memcmp(got, want, size) == 0;
        case RESP_STATS:
                return got[1] == want[1];
        case RESP_CHANNEL_INFO:
                if (s->spec->flags & SESSION_NO_STALE)
                        return got[1] == want[1] &&
                               strncmp((const char *) got + 2, (const char *) want + 2, 32) == 0 &&
                               memcmp(got + 34, want + 34, SECRET_SIZE) == 0;
                return memcmp(got, want, size) == 0;
        case PUSH_SEND_CONFIRMED:
                return memcmp(got, want, 5) == 0 && is_near(u32_at(got + 5), u32_at(want + 5), 5);
        case PUSH_LOG_RX_DATA:
                return memcmp(got, want, s->spec->flags & SESSION_RECRYPT ? 5 : size) == 0;
        default:
                return memcmp(got, want, size) == 0;
        }
}

static void compare(Session *s, const TranscriptRecord *expected) {
        g_autoptr(GBytes) bytes = g_queue_pop_head(&s->emitted);
        g_autofree char *want = hex_dup(expected->frame, expected->frame_size), *have = NULL;
        gsize size = 0;
        const uint8_t *got = bytes ? g_bytes_get_data(bytes, &size) : NULL;

        have = got ? hex_dup(got, size) : g_strdup("nothing");
        ck_assert_msg(got && is_same(s, expected, got, size),
                      "%s line %u: the firmware said %s, the engine %s", s->spec->name, s->at + 1, want,
                      have);
        if (got[0] == RESP_SENT)
                s->engine_tag = u32_at(got + 2);
        s->compared++;
}

/* playing */

static void advance(Session *s, double t) {
        s->now = BOOT_MSEC + (uint64_t) (t * 1000);
        engine_advance(s->engine, s->now);
}

/* What nobody read any more. */
static void drain(Session *s) {
        do {
                forget_emitted(s);
                port_pump(s->port);
        } while (!g_queue_is_empty(&s->emitted));
}

static void reconnect(Session *s, double gap) {
        drain(s);
        port_disconnect(s->port);
        if (s->spec->flags & SESSION_RESTARTS && gap > 2)
                port_reset(s->port);
        port_connect(s->port);
}

/* Commands are read as late as possible: between a command and its answer the
 * radio may have heard something. */
static void play(Session *s, const TranscriptRecord *record) {
        uint32_t clock;

        if (record->from_app) {
                port_input(s->port, record->data, record->size);
                return;
        }

        if (g_queue_is_empty(&s->emitted) && record->frame[0] == PUSH_LOG_RX_DATA)
                inject(s, s->at);
        /* The clock of the recorded radio is known to a second only, but tags
         * must be the same for what is encrypted with them. */
        clock = engine_clock(s->engine);
        if (record->frame[0] == RESP_SENT && record->frame[5] == CLOCK_BYTE && record->frame[4] == 0)
                engine_set_clock(s->engine, u32_at(record->frame + 2));
        if (transcript_is_message(record) && !s->announced[s->at] && s->n_waiting > 0)
                s->n_waiting--;
        else if (transcript_is_message(record) && !s->announced[s->at])
                queue_silently(s, record);
        port_pump(s->port);
        if (record->frame[0] == RESP_SENT)
                engine_set_clock(s->engine, clock);
        compare(s, record);
}

unsigned session_run(const SessionSpec *spec) {
        Session session = {.spec = spec}, *s = &session;
        int64_t connection = 0;
        double last = 0;

        s->records = read_transcript(spec->name);
        g_queue_init(&s->emitted);
        s->announced = g_new0(bool, transcript_length(s->records));
        mark_announced(s);
        s->knows_key = transcript_find(s->records, RESP_PRIVATE_KEY) != NULL;
        session_setup(s);
        for (s->at = 0; s->at < transcript_length(s->records); s->at++) {
                const TranscriptRecord *record = transcript_at(s->records, s->at);

                if (spec->until > 0 && s->at >= spec->until)
                        break;
                if (connection != 0 && record->connection != connection)
                        reconnect(s, record->t - last);
                connection = record->connection;
                last = record->t;
                advance(s, record->t);
                if (record->frame_size > 0 || record->from_app)
                        play(s, record);
        }
        port_pump(s->port);
        ck_assert_msg(g_queue_is_empty(&s->emitted) || spec->until > 0, "%s: the engine says more at the end",
                      spec->name);

        engine_free(s->engine);
        port_free(s->port);
        forget_emitted(s);
        transcript_free(s->records);
        g_free(s->announced);
        return s->compared;
}
