/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transcript.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "derive.h"
#include "hex.h"
#include "log.h"
#include "macros.h"
#include "sha256.h"

#define CONTACT_SIZE    148
#define SELF_INFO_SIZE  58
#define DEFAULT_CLOCK   0x6b006a00U /* when most recordings were made */
#define PLAUSIBLE_CLOCK 1600000000U

struct Transcript {
        GArray *records;
};

static uint32_t u32_at(const uint8_t *p) {
        return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static const char *member(JsonObject *object, const char *name) {
        JsonNode *node = json_object_get_member(object, name);

        return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
                               ? json_node_get_string(node)
                               : NULL;
}

static int read_record(GArray *records, const char *line) {
        g_autoptr(JsonParser) parser = json_parser_new();
        TranscriptRecord record = {};
        const char *hex, *dir;
        JsonObject *object;
        JsonNode *root;
        char marker;
        int n;

        if (!json_parser_load_from_data(parser, line, -1, NULL) || !(root = json_parser_get_root(parser)) ||
            !JSON_NODE_HOLDS_OBJECT(root))
                return -EBADMSG;

        object = json_node_get_object(root);
        hex = member(object, "hex");
        dir = member(object, "dir");
        if (!hex || !dir)
                return -EBADMSG;

        n = hex_decode(hex, strlen(hex), record.data, sizeof(record.data));
        if (n < 0)
                return n;
        record.size = (size_t) n;
        record.t = json_object_get_double_member_with_default(object, "t", 0);
        record.connection = json_object_get_int_member_with_default(object, "conn", 1);
        record.from_app = g_str_equal(dir, "app>radio");

        marker = record.from_app ? STREAM_MARKER_APP : STREAM_MARKER_RADIO;
        if (record.size > STREAM_HEADER_SIZE && record.data[0] == (uint8_t) marker &&
            (size_t) (record.data[1] | record.data[2] << 8) + STREAM_HEADER_SIZE == record.size)
                record.frame_size = record.size - STREAM_HEADER_SIZE;
        g_array_append_val(records, record);
        return 0;
}

/* Secrets are blanked in recordings from the field. Channels would be one and the same with none, so each
 * gets the one that its name stands for, or one that nobody else has. */
static void restore_secret(TranscriptRecord *record) {
        static const uint8_t none[SECRET_SIZE];
        uint8_t *secret = record->frame + 2 + NAME_FIELD_SIZE, digest[SHA256_SIZE];
        g_autofree char *name = NULL;

        if (!transcript_is(record, RESP_CHANNEL_INFO) ||
            record->frame_size != 2 + NAME_FIELD_SIZE + SECRET_SIZE || record->frame[2] == '\0' ||
            memcmp(secret, none, sizeof(none)) != 0)
                return;

        name = g_strndup((const char *) record->frame + 2, NAME_FIELD_SIZE);
        if (g_str_equal(name, "Public"))
                memcpy(secret, public_channel_secret, SECRET_SIZE);
        else if (derive_hashtag_secret(name, secret) < 0) {
                sha256(&(Slice){record->frame, 2 + NAME_FIELD_SIZE}, 1, digest);
                memcpy(secret, digest, SECRET_SIZE);
        }
}

int transcript_load(const char *path, Transcript **ret) {
        g_autoptr(Transcript) transcript = g_new0(Transcript, 1);
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        transcript->records = g_array_new(FALSE, FALSE, sizeof(TranscriptRecord));
        if (!g_file_get_contents(path, &text, NULL, &error))
                return log_at(LOG_ERR, EIO, "%s", error->message);

        lines = g_strsplit(text, "\n", -1);
        for (size_t i = 0; lines[i]; i++)
                if (lines[i][0] != 0 && read_record(transcript->records, lines[i]) < 0)
                        return log_at(LOG_ERR, EBADMSG, "%s:%zu: this is no line of a recording", path,
                                      i + 1);
        if (transcript->records->len == 0)
                return log_at(LOG_ERR, ENODATA, "%s: an empty recording", path);

        for (guint i = 0; i < transcript->records->len; i++) {
                TranscriptRecord *record = &g_array_index(transcript->records, TranscriptRecord, i);

                record->frame = record->data + STREAM_HEADER_SIZE;
                restore_secret(record);
        }

        *ret = g_steal_pointer(&transcript);
        return 0;
}

Transcript *transcript_free(Transcript *transcript) {
        if (!transcript)
                return NULL;

        g_array_unref(transcript->records);
        g_free(transcript);
        return NULL;
}

size_t transcript_length(const Transcript *transcript) {
        return transcript->records->len;
}

const TranscriptRecord *transcript_at(const Transcript *transcript, size_t index) {
        return &g_array_index(transcript->records, TranscriptRecord, index);
}

bool transcript_is(const TranscriptRecord *record, uint8_t code) {
        return !record->from_app && record->frame_size > 0 && record->frame[0] == code;
}

bool transcript_is_message(const TranscriptRecord *record) {
        static const uint8_t codes[] = {RESP_CONTACT_MSG_RECV, RESP_CHANNEL_MSG_RECV,
                                        RESP_CONTACT_MSG_RECV_V3, RESP_CHANNEL_MSG_RECV_V3,
                                        RESP_CHANNEL_DATA_RECV};

        return !record->from_app && record->frame_size > 0 && memchr(codes, record->frame[0], sizeof(codes));
}

const TranscriptRecord *transcript_find(const Transcript *transcript, uint8_t code) {
        for (size_t i = 0; i < transcript_length(transcript); i++)
                if (transcript_is(transcript_at(transcript, i), code))
                        return transcript_at(transcript, i);

        return NULL;
}

/* What is a time of the radio in a frame, or 0. Tags of requests are, those
 * of texts are hashes: three quarters of these are no plausible time, and the
 * others are told by the year. */
static uint32_t clock_in(const TranscriptRecord *record) {
        if (transcript_is(record, RESP_CURR_TIME) && record->frame_size == 5)
                return u32_at(record->frame + 1);
        if (transcript_is(record, RESP_END_OF_CONTACTS) && record->frame_size == 5)
                return u32_at(record->frame + 1);
        if ((transcript_is(record, RESP_CONTACT) || transcript_is(record, PUSH_NEW_ADVERT)) &&
            record->frame_size == CONTACT_SIZE)
                return u32_at(record->frame + 144);
        if (transcript_is(record, RESP_EXPORT_CONTACT) && record->frame_size > 40)
                return u32_at(record->frame + 35);

        return 0;
}

static uint32_t learn_clock(const Transcript *transcript) {
        const TranscriptRecord *told = transcript_find(transcript, RESP_CURR_TIME);
        uint32_t clock = 0;

        if (told)
                return u32_at(told->frame + 1) - (uint32_t) told->t;

        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);

                if (transcript_is(record, RESP_SENT) && record->frame_size == 10 && clock != 0 &&
                    u32_at(record->frame + 2) - clock < 86400)
                        return u32_at(record->frame + 2) - (uint32_t) record->t;
                if (transcript_is(record, RESP_SENT) && record->frame_size == 10 && clock == 0 &&
                    u32_at(record->frame + 2) >> 16 == DEFAULT_CLOCK >> 16)
                        return u32_at(record->frame + 2) - (uint32_t) record->t;
                if (clock == 0 && clock_in(record) > PLAUSIBLE_CLOCK)
                        clock = clock_in(record) -
                                (transcript_is(record, RESP_EXPORT_CONTACT) ? 0 : (uint32_t) record->t);
        }

        return clock != 0 ? clock : DEFAULT_CLOCK;
}

static SimIdentity learn_identity(const Transcript *transcript) {
        const TranscriptRecord *self = transcript_find(transcript, RESP_SELF_INFO);
        const TranscriptRecord *exported = transcript_find(transcript, RESP_PRIVATE_KEY);
        SimIdentity identity = sim_identity_from_text("stand-in"), real;

        if (exported && exported->frame_size == 1 + PRIVATE_KEY_SIZE &&
            sim_identity_from_private(exported->frame + 1, true, &real) == 0)
                return real;
        if (self && self->frame_size >= SELF_INFO_SIZE)
                memcpy(identity.key.bytes, self->frame + 4, PUBLIC_KEY_SIZE);

        return identity;
}

static EngineFirmware learn_firmware(const TranscriptRecord *info, EngineFirmware fallback) {
        g_autofree char *version = info->frame_size >= 80 ? g_strndup((const char *) info->frame + 60, 20)
                                                          : g_strdup("");
        EngineFirmware firmware = engine_firmware_from_string(version);

        return firmware < 0 ? fallback : firmware;
}

void transcript_configure(const Transcript *transcript, EngineConfig *config, char **ret_name) {
        const TranscriptRecord *self = transcript_find(transcript, RESP_SELF_INFO);
        const TranscriptRecord *info = transcript_find(transcript, RESP_DEVICE_INFO);
        const TranscriptRecord *disabled = transcript_find(transcript, RESP_DISABLED);

        *ret_name = NULL;
        if (self && self->frame_size >= SELF_INFO_SIZE)
                *ret_name = g_strndup((const char *) self->frame + SELF_INFO_SIZE,
                                      self->frame_size - SELF_INFO_SIZE);
        config->name = *ret_name;
        config->identity = learn_identity(transcript);
        config->epoch = learn_clock(transcript);
        config->private_key_disabled = disabled != NULL;
        if (info && info->frame_size >= 4) {
                config->firmware = learn_firmware(info, config->firmware);
                config->max_contacts = info->frame[2] * 2U;
                config->max_channels = info->frame[3];
        }
}

void transcript_teach_settings(const Transcript *transcript, Engine *engine) {
        const TranscriptRecord *self = transcript_find(transcript, RESP_SELF_INFO);
        const TranscriptRecord *battery = transcript_find(transcript, RESP_BATT_AND_STORAGE);
        uint8_t other[5], radio[11] = {CMD_SET_RADIO_PARAMS};

        if (battery && battery->frame_size == 11) {
                engine_set_battery(engine, (uint16_t) (battery->frame[1] | battery->frame[2] << 8));
                engine_set_storage(engine, u32_at(battery->frame + 3), u32_at(battery->frame + 7));
        }
        if (!self || self->frame_size < SELF_INFO_SIZE)
                return;

        engine_set_position(engine, (int32_t) u32_at(self->frame + 36), (int32_t) u32_at(self->frame + 40));
        other[0] = CMD_SET_OTHER_PARAMS;
        for (size_t i = 1; i < sizeof(other); i++)
                other[i] = self->frame[48 - i];
        engine_command(engine, other, sizeof(other));
        memcpy(radio + 1, self->frame + 48, 10);
        engine_command(engine, radio, sizeof(radio));
}

static void teach_contact(const uint8_t *frame, Engine *engine) {
        EngineContact contact = {
                        .type = frame[33],
                        .flags = frame[34],
                        .out_path_len = frame[35],
                        .last_advert = u32_at(frame + 132),
                        .lat = (int32_t) u32_at(frame + 136),
                        .lon = (int32_t) u32_at(frame + 140),
                        .lastmod = u32_at(frame + 144),
        };

        memcpy(contact.key.bytes, frame + 1, PUBLIC_KEY_SIZE);
        memcpy(contact.out_path, frame + 36, PATH_SIZE_MAX);
        memcpy(contact.name, frame + 100, NAME_FIELD_SIZE);
        /* When a contact is told twice, the first time counts. */
        if (!engine_find_contact(engine, &contact.key))
                (void) engine_put_contact(engine, &contact);
}

void transcript_teach_contacts(const Transcript *transcript, Engine *engine, bool all) {
        bool in_dump = false;

        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);

                if (transcript_is(record, RESP_CONTACTS_START))
                        in_dump = true;
                else if (transcript_is(record, RESP_END_OF_CONTACTS) && in_dump && !all)
                        return;
                else if (transcript_is(record, RESP_CONTACT) && record->frame_size == CONTACT_SIZE &&
                         (in_dump || all))
                        teach_contact(record->frame, engine);
        }
}

void transcript_teach_channels(const Transcript *transcript, Engine *engine) {
        bool known[UINT8_MAX + 1] = {};

        /* As they were before the app wrote them. */
        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);

                if (record->from_app && record->frame_size >= 2 && record->frame[0] == CMD_SET_CHANNEL) {
                        known[record->frame[1]] = true;
                } else if (transcript_is(record, RESP_CHANNEL_INFO) && record->frame_size == 50 &&
                           !known[record->frame[1]]) {
                        char name[NAME_FIELD_SIZE + 1] = {};

                        memcpy(name, record->frame + 2, NAME_FIELD_SIZE);
                        (void) engine_set_channel(engine, record->frame[1], name, record->frame + 34);
                        known[record->frame[1]] = true;
                }
        }
}

void transcript_teach_cards(const Transcript *transcript, Engine *engine) {
        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);
                AirPacket packet;
                AirAdvert advert;

                if (transcript_is(record, RESP_EXPORT_CONTACT) &&
                    air_parse_card(record->frame + 1, record->frame_size - 1, &packet) == 0 &&
                    air_read_advert(&packet, &advert) == 0)
                        engine_put_card(engine, &advert.key, record->frame + 1, record->frame_size - 1);
        }
}
