/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every command of vectors.json. Those of the Python client are encoded anew
 * from the arguments that it was given; those with bytes only are taken apart and
 * put together again. What the radio refuses because of the frame itself, we
 * refuse. Where the Python client is wrong (wire reference 8), the table of
 * exceptions says what is sent instead. */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-call.h"
#include "data.h"
#include "hex.h"
#include "macros.h"
#include "reencode.h"
#include "suite.h"

/* -- what is expected -- */

typedef enum Expect {
        EXPECT_FRAMES,  /* as recorded */
        EXPECT_REFUSED, /* never sent */
        EXPECT_FRAME,   /* another one, in hex */
        EXPECT_PREFIX,  /* the first n bytes of the recorded one */
} Expect;

static const struct {
        const char *id;
        Expect expect;
        const char *frame;
        size_t n;
} exceptions[] = {
                /* section 8: 1, 2, 3, 4 */
                {"confirm-factory-reset", EXPECT_FRAME, "337265736574", 0},
                {"has-connection", EXPECT_FRAME,
                 "1c0000000000000000000000000000000000000000000000000000000000000000", 0},
                {"reset-default-flood-scope", EXPECT_FRAME, "3f", 0},
                {"default-scope-empty", EXPECT_FRAME, "3f", 0},
                {"default-scope-star", EXPECT_FRAME, "3f", 0},
                /* 5: padded by bytes */
                {"default-scope-utf8", EXPECT_FRAME,
                 "3f237ac3bc300000000000000000000000000000000000000000000000000000"
                 "fa71b197b2687fc4e7bb571479b496da",
                 0},
                /* 7: one signed byte */
                {"set-tx-power-0", EXPECT_PREFIX, NULL, 2},
                {"set-tx-power-1", EXPECT_PREFIX, NULL, 2},
                {"set-tx-power-2", EXPECT_PREFIX, NULL, 2},
                {"set-tx-power-3", EXPECT_PREFIX, NULL, 2},
                {"set-tx-power-negative", EXPECT_FRAME, "0cfc", 0},
                /* two bytes too many */
                {"set-tuning-0", EXPECT_PREFIX, NULL, 9},
                {"set-tuning-1", EXPECT_PREFIX, NULL, 9},
                {"set-tuning-2", EXPECT_PREFIX, NULL, 9},
                /* 20: rounded to the nearest */
                {"set-coords-7", EXPECT_FRAME, "0e7452e4034df922fc00000000", 0},
                {"update-contact-7", EXPECT_FRAME,
                 "09a64b3c8684cf01fa5e8c7c15a622843e46a900972a9a4f0b7036ea469e5aa69f040f3fadb49bff9d6e50d782"
                 "23bcfb22ca491f040e800795b7a6a7205fadadd7b9053cbdb3517b972bdd452967c81684c0354daf850255d365"
                 "d32ef052aa8a526f28005ac3bc726963682d53c3bc64000000000000000000000000000000000000000087ea8b"
                 "687452e4034df922fc",
                 0},
                /* 21: the name cut to 31 bytes, nothing shifted */
                {"update-contact-longname", EXPECT_FRAME,
                 "099c5479d33f03638a8ec32dcbeb8554e8e9397d48514d04d463249643196fdb230100ff"
                 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                 "0000000000000"
                 "000000000000000000000000"
                 "4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c00"
                 "a7ea8b680000000000000000",
                 0},
                /* a position always goes with a contact */
                {"fw-add-contact-nogps", EXPECT_FRAME,
                 "09b0e81aacc21dd9d12e70f007b5ed4fd8c3ec344036ed7fcc888236190ce904340200ff"
                 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                 "0000000000000"
                 "000000000000000000000000"
                 "5236340000000000000000000000000000000000000000000000000000000000"
                 "80ea8b680000000000000000",
                 0},
                /* cut silently by the radio: told to the caller instead */
                {"set-name-5", EXPECT_REFUSED, NULL, 0},
                {"set-name-6", EXPECT_REFUSED, NULL, 0},
                {"set-channel-4", EXPECT_REFUSED, NULL, 0},
                {"send-login-3", EXPECT_REFUSED, NULL, 0},
                /* values outside their range that the radio takes and misuses */
                {"set-other-params-2", EXPECT_REFUSED, NULL, 0},
                {"fw-autoadd-hops-3", EXPECT_REFUSED, NULL, 0},
                {"trace-nopath", EXPECT_REFUSED, NULL, 0},
                {"fw-contact-by-key-short", EXPECT_REFUSED, NULL, 0},
                /* only the radio can know: its clock, slots, contacts, variables, list of frequencies */
                {"set-time-3", EXPECT_FRAMES, NULL, 0},
                {"get-channel-3", EXPECT_FRAMES, NULL, 0},
                {"set-channel-badidx", EXPECT_FRAMES, NULL, 0},
                {"send-chan-msg-badidx", EXPECT_FRAMES, NULL, 0},
                {"fw-chan-data-8", EXPECT_FRAMES, NULL, 0},
                {"fw-has-connection", EXPECT_FRAMES, NULL, 0},
                {"set-custom-var-2", EXPECT_FRAMES, NULL, 0},
                {"set-radio-repeat-forbidden", EXPECT_FRAMES, NULL, 0},
};

static Expect find_expectation(JsonObject *entry, const char **ret_frame, size_t *ret_n) {
        const char *id = data_string(entry, "id");
        JsonNode *reply = json_object_get_member(entry, "firmware_reply");
        const char *text = reply && JSON_NODE_HOLDS_VALUE(reply) ? json_node_get_string(reply) : "";

        for (size_t i = 0; i < ELEMENTSOF(exceptions); i++)
                if (strcmp(exceptions[i].id, id) == 0) {
                        *ret_frame = exceptions[i].frame;
                        *ret_n = exceptions[i].n;
                        return exceptions[i].expect;
                }
        return g_str_has_prefix(text, "err:") || strcmp(text, "lost") == 0 ? EXPECT_REFUSED : EXPECT_FRAMES;
}

static void assert_command(const char *id, const Command *command, const char *expected, size_t n) {
        g_autofree char *got = hex_dup(command->data, command->size);
        g_autofree char *want = n > 0 ? g_strndup(expected, 2 * n) : g_strdup(expected);

        ck_assert_msg(strcmp(got, want) == 0, "%s:\n got %s\nwant %s", id, got, want);
}

static void assert_plan(JsonObject *entry, const Plan *plan) {
        JsonArray *frames = json_object_get_array_member(entry, "frames");
        const char *id = data_string(entry, "id"), *frame = NULL;
        size_t n = 0;

        switch (find_expectation(entry, &frame, &n)) {
        case EXPECT_REFUSED:
                ck_assert_msg(plan->r < 0, "%s: not refused", id);
                break;
        case EXPECT_FRAME:
                ck_assert_msg(plan->r == 0 && plan->n == 1, "%s: refused with %d", id, plan->r);
                assert_command(id, &plan->commands[0], frame, 0);
                break;
        case EXPECT_PREFIX:
                ck_assert_msg(plan->r == 0 && plan->n == 1, "%s: refused with %d", id, plan->r);
                assert_command(id, &plan->commands[0], json_array_get_string_element(frames, 0), n);
                break;
        case EXPECT_FRAMES:
                ck_assert_msg(plan->r == 0, "%s: refused with %d", id, plan->r);
                ck_assert_msg(plan->n == json_array_get_length(frames), "%s: %zu frames", id, plan->n);
                for (guint i = 0; i < plan->n; i++)
                        assert_command(id, &plan->commands[i], json_array_get_string_element(frames, i), 0);
                break;
        }
}

static void encode_entry(JsonObject *entry, Plan *plan) {
        g_autoptr(JsonObject) no_kwargs = json_object_new();
        const char *method = data_string(entry, "method");
        Call call = {
                        .entry = entry,
                        .args = json_object_get_array_member(entry, "args"),
                        .kwargs = no_kwargs,
                        .plan = plan,
        };

        if (json_object_has_member(entry, "kwargs"))
                call.kwargs = json_object_get_object_member(entry, "kwargs");
        if (method)
                client_encode(&call, method);
        else {
                g_autoptr(GByteArray) frame = data_unhex_member(entry, "frame");

                plan_done(plan, reencode(data_slice(frame), plan_next(plan)));
        }
}

START_TEST(every_command) {
        JsonArray *entries = json_node_get_array(data_vectors("commands"));
        guint n = json_array_get_length(entries);

        for (guint i = 0; i < n; i++) {
                JsonObject *entry = json_array_get_object_element(entries, i);
                Plan plan = {};

                encode_entry(entry, &plan);
                assert_plan(entry, &plan);
        }

        printf("%u commands of vectors.json\n", n);
        ck_assert_uint_gt(n, 0);
}
END_TEST

/* Every exception is about an entry that exists. */
START_TEST(exceptions_are_used) {
        JsonArray *entries = json_node_get_array(data_vectors("commands"));

        for (size_t i = 0; i < ELEMENTSOF(exceptions); i++) {
                bool found = false;

                for (guint j = 0; j < json_array_get_length(entries) && !found; j++)
                        found = strcmp(data_string(json_array_get_object_element(entries, j), "id"),
                                       exceptions[i].id) == 0;
                ck_assert_msg(found, "%s", exceptions[i].id);
        }
}
END_TEST

int main(void) {
        const TTest *const tests[] = {every_command, exceptions_are_used};

        return suite_run("vector-commands", tests, ELEMENTSOF(tests));
}
