/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A radio that lies: the daemon's side of a radio, whole, on a connection to the simulator's engine, whose
 * frames the input alters, leaves out or doubles, and between which it puts others. Meanwhile people ask for
 * all kinds of things, and each must be answered once. */

#include <stdlib.h>
#include <string.h>

#include "fuzz-input.h"
#include "fuzz.h"
#include "log.h"
#include "mesh-api.h"
#include "monitor-api.h"
#include "node-api.h"
#include "protocol.h"
#include "radio-fixture.h"
#include "settings-api.h"

#define STEPS_MAX    12
#define TURNS_MAX    400
#define SILENCE_USEC (3 * UINT64_C(1000))

static FuzzInput input;
static unsigned n_asked;

/* -- without the runner of check ------------------------------------------------------- */

void __wrap__mark_point(const char *file, int line);
void __wrap__ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...);

void __wrap__mark_point(const char *file, int line) {
}

void __wrap__ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...) {
        abort();
}

/* -- what the radio says ------------------------------------------------------------------ */

int __real_stream_encode(uint8_t marker, const void *payload, size_t size, uint8_t *ret, size_t capacity);
int __wrap_stream_encode(uint8_t marker, const void *payload, size_t size, uint8_t *ret, size_t capacity);

/* All that either side says goes through here. */
int __wrap_stream_encode(uint8_t marker, const void *payload, size_t size, uint8_t *ret, size_t capacity) {
        uint8_t altered[FRAME_SIZE_MAX];
        const uint8_t *bytes;
        unsigned what;
        size_t n, at;

        if (marker != STREAM_MARKER_RADIO || size == 0 || size > sizeof(altered))
                return __real_stream_encode(marker, payload, size, ret, capacity);
        what = fuzz_byte(&input);
        if (what < 160)
                return __real_stream_encode(marker, payload, size, ret, capacity);

        memcpy(altered, payload, size);
        if (what < 224) {
                at = fuzz_byte(&input) % size;
                bytes = fuzz_bytes(&input, MIN(what % 8 + 1, size - at), &n);
                memcpy(altered + at, bytes, n);
        } else if (what < 240)
                size = 1 + fuzz_byte(&input) % size;
        else {
                bytes = fuzz_bytes(&input, MIN((size_t) what - 239, sizeof(altered) - size), &n);
                memcpy(altered + size, bytes, n);
                size += n;
        }
        return __real_stream_encode(marker, altered, size, ret, capacity);
}

static bool on_command(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        unsigned what = fuzz_byte(&input);

        if (what == 255)
                peer_drop(peer);
        return what < 250;
}

static void push(Peer *peer) {
        const uint8_t *frame;
        size_t n;

        frame = fuzz_bytes(&input, fuzz_byte(&input) % FRAME_SIZE_MAX, &n);
        if (n > 0 && peer->fd >= 0)
                peer_push(peer, frame, n);
}

/* -- what people ask ---------------------------------------------------------------------- */

static void answered(const Outcome *outcome) {
        FUZZ_ASSERT(n_asked > 0 && outcome->code >= 0 && outcome->code < _OUTCOME_CODE_MAX);
        n_asked--;
}

static void on_simple(Radio *radio, const Outcome *outcome, void *userdata) {
        answered(outcome);
}

static void on_found(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata) {
        answered(outcome);
}

static void on_uri(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata) {
        fuzz_touch(packet.data, packet.size);
        answered(outcome);
}

static void on_bytes(Radio *radio, const Outcome *outcome, Slice bytes, void *userdata) {
        fuzz_touch(bytes.data, bytes.size);
        answered(outcome);
}

static void on_node(Radio *radio, const Outcome *outcome, NodeAnswer *answer, void *userdata) {
        FUZZ_ASSERT((answer != NULL) == (outcome->code == OUTCOME_OK));
        answered(outcome);
}

static void on_ping(Radio *radio, const Outcome *outcome, uint64_t usec, void *userdata) {
        answered(outcome);
}

static void send_text(Radio *radio, unsigned n) {
        Identity *identity = radio_identity(radio);
        const PublicKey key = key_of(1 + n % 2);
        const SendOptions options = {.queue = true};
        Recipient to = {};
        uint64_t id;

        if (identity && n % 3 > 0)
                to.contact = identity_get_contact(identity, &key);
        else if (identity)
                to.channel = identity_get_slot(identity, 0);
        if (to.contact || to.channel)
                (void) radio_send_text(radio, &to, "hello", &options, &id, NULL);
}

static void ask_node(Radio *radio, unsigned n) {
        static const uint8_t bytes[] = {1, 2, 3, 4};
        const NodeQuery query = {
                        .operation = (NodeOperation) (n % _NODE_OPERATION_MAX),
                        .key = key_of(2),
                        .text = "text",
                        .data = {bytes, sizeof(bytes)},
                        .start_secs_ago = 60,
                        .prefix_length = 4,
                        .hash_size = 1,
                        .types = 0xff,
                        .collect_usec = NODE_COLLECT_MIN_USEC,
        };

        n_asked++;
        (void) radio_request_node(radio, &query, on_node, NULL);
}

static void ask(Radio *radio) {
        static const uint8_t bytes[64] = {7};
        const unsigned what = fuzz_byte(&input), n = what / 8;
        const PublicKey key = key_of(1 + n % 3);

        switch (what % 8) {
        case 0:
                send_text(radio, n);
                return;
        case 1:
        case 2:
                ask_node(radio, n);
                return;
        case 3:
                radio_export_card(radio, n % 2 ? &key : NULL, on_uri, NULL);
                break;
        case 4:
                radio_sign(radio, (Slice){bytes, sizeof(bytes)}, on_bytes, NULL);
                break;
        case 5:
                radio_refresh_contact(radio, &key, on_simple, NULL);
                break;
        case 6:
                radio_reset_contact_path(radio, &key, on_found, NULL);
                break;
        default:
                radio_ping(radio, on_ping, NULL);
        }
        n_asked++; /* never answered from inside of the call */
}

/* -- life ------------------------------------------------------------------------------------ */

static void turn(Fixture *f) {
        for (unsigned i = 0; i < TURNS_MAX; i++) {
                int r = sd_event_run(f->event, SILENCE_USEC);

                FUZZ_ASSERT(r >= 0);
                if (r == 0)
                        return;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Fixture f;
        PublicKey key;

        log_set_level(LOG_EMERG);
        (void) g_setenv("TMPDIR", "/dev/shm", false); /* of no use where there is none */
        input = (FuzzInput){};
        fixture_begin(&f);
        f.peer = peer_new(f.event, "Own", 10);
        f.peer->on_command = on_command;
        (void) peer_add_contact(f.peer, 1, CONTACT_CHAT, 0, true);
        key = peer_add_contact(f.peer, 2, CONTACT_REPEATER, 0, false);
        peer_queue_text(f.peer, &key, 5, "queued");
        peer_queue_channel_text(f.peer, 0, 6, "Bob: queued");

        input = (FuzzInput){data, size};
        f.radio = fixture_add_radio(&f, "sim", f.peer);
        turn(&f);
        for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++) {
                if (fuzz_byte(&input) & 1)
                        ask(f.radio);
                else
                        push(f.peer);
                turn(&f);
        }
        input = (FuzzInput){};
        fixture_teardown(&f);
        FUZZ_ASSERT(n_asked == 0);
        return 0;
}
