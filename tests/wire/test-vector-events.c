/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every event of vectors.json: all fields, through the same mapping from Frame
 * to names that meshcorectl decode uses; and every way to cut it short. */

#include <stdio.h>
#include <string.h>

#include "data.h"
#include "decode-internal.h"
#include "frame.h"
#include "macros.h"
#include "suite.h"

/* The frames that say too little, and are refused. */
static const char *const malformed[] = {"chan-data-short", "tuning-short", "contact-deleted-short"};

static bool is_malformed(const char *id) {
        for (size_t i = 0; i < ELEMENTSOF(malformed); i++)
                if (strcmp(malformed[i], id) == 0)
                        return true;
        return false;
}

static FrameContext context_of(JsonObject *entry) {
        static const struct {
                const char *type;
                ReplyKind kind;
        } kinds[] = {
                        {"STATUS", REPLY_STATUS},
                        {"TELEMETRY", REPLY_TELEMETRY},
                        {"MMA", REPLY_MMA},
                        {"ACL", REPLY_ACCESS_LIST},
                        {"NEIGHBOURS", REPLY_NEIGHBOURS},
                        {"REGIONS", REPLY_REGIONS},
                        {"OWNER", REPLY_OWNER},
                        {"BASIC", REPLY_BASIC},
        };
        FrameContext context = {};
        JsonObject *pending;

        /* The one answer that the Python client cannot ask for. */
        if (strcmp(data_string(entry, "id"), "bin-owner-info") == 0)
                context.request = REPLY_OWNER_INFO;
        if (!json_object_has_member(entry, "pending_request"))
                return context;

        pending = json_object_get_object_member(entry, "pending_request");
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(kinds[i].type, data_string(pending, "type")) == 0)
                        context.request = kinds[i].kind;
        ck_assert_int_ne(context.request, REPLY_NONE);

        pending = json_object_get_object_member(pending, "context");
        if (json_object_has_member(pending, "pubkey_prefix_length"))
                context.prefix_length = (uint8_t) data_int(pending, "pubkey_prefix_length");
        return context;
}

static char *print_json(JsonObject *object) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

        json_node_set_object(node, object);
        return json_to_string(node, TRUE);
}

static void assert_fields(JsonObject *entry, JsonObject *record) {
        JsonObject *want = json_object_get_object_member(entry, "fields");
        JsonObject *got = json_object_get_object_member(record, "fields");
        g_autoptr(JsonNode) a = json_node_new(JSON_NODE_OBJECT), b = json_node_new(JSON_NODE_OBJECT);
        g_autofree char *got_text = NULL, *want_text = NULL;
        const char *id = data_string(entry, "id");

        /* Twelve bytes fill a cipher block without padding: nothing in the frame tells that these are our
         * own. */
        if (strcmp(id, "telemetry-self-negative") == 0) {
                ck_assert_int_eq(data_int(got, "padding"), 0);
                json_object_remove_member(got, "padding");
        }

        json_node_set_object(a, want);
        json_node_set_object(b, got);
        got_text = print_json(got);
        want_text = print_json(want);
        ck_assert_msg(json_node_equal(a, b), "%s:\n got %s\nwant %s", id, got_text, want_text);
}

static void check_entry(JsonObject *entry, const FrameContext *context, bool guess) {
        g_autoptr(GByteArray) frame = data_unhex_member(entry, "frame");
        g_autoptr(JsonObject) record = decode_record(frame->data, frame->len, context, guess);
        const char *id = data_string(entry, "id");

        ck_assert_msg(json_object_has_member(record, "error") == is_malformed(id), "%s", id);
        ck_assert_str_eq(data_string(record, "name"), data_string(entry, "name"));
        if (frame->len > 0)
                ck_assert_int_eq(data_int(record, "code"), data_int(entry, "code"));
        assert_fields(entry, record);
}

START_TEST(every_event) {
        JsonArray *entries = json_node_get_array(data_vectors("events"));
        guint n = json_array_get_length(entries);

        for (guint i = 0; i < n; i++) {
                JsonObject *entry = json_array_get_object_element(entries, i);
                FrameContext context = context_of(entry);

                check_entry(entry, &context, false);
        }

        printf("%u events of vectors.json\n", n);
        ck_assert_uint_gt(n, 0);
}
END_TEST

/* Without a word about the request, the bytes of these answers are enough. */
START_TEST(every_event_guessed) {
        JsonArray *entries = json_node_get_array(data_vectors("events"));
        const FrameContext nothing = {};
        guint n = json_array_get_length(entries);

        for (guint i = 0; i < n; i++)
                check_entry(json_array_get_object_element(entries, i), &nothing, true);
        ck_assert_uint_gt(n, 0);
}
END_TEST

/* Slices must lie in the frame: read all of each. */
static void touch(JsonObject *record) {
        g_autofree char *text = decode_record_to_text(record), *json = print_json(record);

        ck_assert_uint_gt(strlen(text) + strlen(json), 0);
}

START_TEST(every_truncation) {
        JsonArray *entries = json_node_get_array(data_vectors("events"));
        size_t n = 0, refused = 0;

        for (guint i = 0; i < json_array_get_length(entries); i++) {
                JsonObject *entry = json_array_get_object_element(entries, i);
                g_autoptr(GByteArray) frame = data_unhex_member(entry, "frame");
                FrameContext context = context_of(entry);

                for (guint size = 0; size <= frame->len; size++) {
                        /* its own allocation, so that a sanitizer sees one byte too far */
                        g_autofree uint8_t *copy = g_memdup2(frame->data, size);
                        g_autoptr(JsonObject) record = decode_record(copy, size, &context, true);
                        Frame decoded;
                        int r = frame_decode(copy, size, &context, &decoded);

                        ck_assert(r == 0 || r == -EBADMSG);
                        ck_assert_int_eq(decoded.code, size > 0 ? frame->data[0] : 0);
                        ck_assert_int_eq(json_object_has_member(record, "error"), r < 0);
                        touch(record);
                        refused += r < 0;
                        n++;
                }
        }

        printf("%zu cut frames, %zu refused\n", n, refused);
        ck_assert_uint_gt(refused, 0);
}
END_TEST

/* Firmware adds fields at the end: more bytes never make a frame invalid. */
START_TEST(longer_frames) {
        JsonArray *entries = json_node_get_array(data_vectors("events"));

        for (guint i = 0; i < json_array_get_length(entries); i++) {
                JsonObject *entry = json_array_get_object_element(entries, i);
                g_autoptr(GByteArray) frame = data_unhex_member(entry, "frame");
                const uint8_t tail[8] = {0xA5, 0, 0xFF, 0, 1, 2, 3, 4};
                Frame decoded;

                if (is_malformed(data_string(entry, "id")))
                        continue;
                /* what is optional is all there or not at all */
                if (frame->len <= 1 && data_int(entry, "code") == RESP_DEFAULT_FLOOD_SCOPE)
                        continue;
                g_byte_array_append(frame, tail, sizeof(tail));
                ck_assert_msg(frame_decode(frame->data, frame->len, NULL, &decoded) == 0, "%s",
                              data_string(entry, "id"));
        }
}
END_TEST

int main(void) {
        const TTest *const tests[] = {every_event, every_event_guessed, every_truncation, longer_frames};

        return suite_run("vector-events", tests, ELEMENTSOF(tests));
}
