/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The radio's private key out and in. It is in no log, and gone from memory
 * as soon as it was handed on. */

#include <string.h>
#include <syslog.h>

#include "events.h"
#include "key.h"
#include "request-internal.h"
#include "settings-api.h"

typedef struct KeyRequest {
        Request request;
        uint8_t key[PRIVATE_KEY_SIZE];
        bool exported;                 /* key is the answer */
        bool holding;                  /* the receiver fetches nothing for our sake */
        radio_bytes_done_t bytes_done; /* one of these */
        radio_done_t done;
        void *userdata;
} KeyRequest;

G_STATIC_ASSERT(PRIVATE_KEY_SIZE == RADIO_KEY_SIZE);

static void key_done(Request *request, const Outcome *outcome) {
        KeyRequest *k = (KeyRequest *) request;

        if (k->holding)
                receive_release(request->radio->receive);
        if (k->bytes_done)
                k->bytes_done(request->radio, outcome, (Slice){k->key, k->exported ? sizeof(k->key) : 0},
                              k->userdata);
        else
                k->done(request->radio, outcome, k->userdata);
        explicit_bzero(k->key, sizeof(k->key));
        g_free(k);
}

/* -- export ---------------------------------------------------------------------------- */

static void exported(Request *request, const Frame *frame) {
        KeyRequest *k = (KeyRequest *) request;

        if (frame->kind == FRAME_DISABLED) {
                request_fail(request, OUTCOME_NOT_SUPPORTED,
                             "this build of the radio's firmware keeps the key to itself");
                return;
        }

        memcpy(k->key, frame->private_key.key, sizeof(k->key));
        k->exported = true;
        request_succeed(request);
}

static void export_start(Request *request, const Frame *frame) {
        Command command;

        radio_log_event(request->radio, EVENT_KEY_EXPORTED, LOG_NOTICE, 0,
                        "the private key is being exported, as somebody asked");
        (void) command_export_private_key(&command);
        request_call(request, &command, exported);
}

static const RequestKind export_kind = {
                .what = "cannot export the private key",
                .start = export_start,
                .done = key_done,
};

void radio_export_key(Radio *radio, radio_bytes_done_t done, void *userdata) {
        KeyRequest *k = g_new0(KeyRequest, 1);

        k->bytes_done = done;
        k->userdata = userdata;
        request_submit(radio, &k->request, &export_kind);
}

/* -- import ------------------------------------------------------------------------------ */

/* The radio told its key: if it is another one, the whole picture is another one. */
static void self_read(Request *request, const Frame *frame) {
        Radio *radio = request->radio;
        bool same = frame->kind == FRAME_SELF_INFO && radio->identity &&
                    key_equal(&frame->self_info.public_key, identity_key(radio->identity));

        /* Nothing more is fetched for the old one. */
        if (!same)
                ((KeyRequest *) request)->holding = false;
        request_succeed(request);
        if (!same)
                radio_fail(radio, REASON_RESTARTING, OUTCOME_LINK_LOST,
                           "the radio has another key, as somebody gave it one; reading it anew");
}

/* What was announced up to here was for the old key. */
static void settled(int r, void *userdata) {
        KeyRequest *k = userdata;
        Command command;

        (void) command_app_start(&command, APP_NAME);
        request_call_tolerant(&k->request, &command, self_read);
}

static void imported(Request *request, const Frame *frame) {
        KeyRequest *k = (KeyRequest *) request;

        if (frame->kind == FRAME_DISABLED) {
                request_fail(request, OUTCOME_NOT_SUPPORTED,
                             "this build of the radio's firmware takes no key");
                return;
        }
        if (frame->code == RESP_ERR && frame->error.code == ERR_ILLEGAL_ARG) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS,
                             "the radio says that this is no expanded Ed25519 private key, or one whose "
                             "public key begins with 00 or ff");
                return;
        }
        if (frame->code == RESP_ERR) {
                request_fail_firmware(request, frame->error.code);
                return;
        }

        receive_settle(request->radio->receive, settled, k);
}

static void drained(int r, void *userdata) {
        KeyRequest *k = userdata;
        Command command;

        if (r < 0) {
                request_fail(&k->request, OUTCOME_STORAGE_FULL,
                             "the messages that wait in the radio cannot be fetched first: %s",
                             g_strerror(-r));
                return;
        }

        k->holding = true;
        (void) command_import_private_key(&command, k->key);
        request_call_tolerant(&k->request, &command, imported);
        explicit_bzero(&command, sizeof(command));
}

static void import_start(Request *request, const Frame *frame) {
        radio_log_event(request->radio, EVENT_KEY_IMPORTED, LOG_NOTICE, 0,
                        "another private key is being imported, as somebody asked");
        receive_hold(request->radio->receive, drained, request);
}

static const RequestKind import_kind = {
                .what = "cannot import the private key",
                .start = import_start,
                .done = key_done,
};

void radio_import_key(Radio *radio, Slice key, radio_done_t done, void *userdata) {
        KeyRequest *k = g_new0(KeyRequest, 1);
        g_auto(Outcome) outcome = {};

        k->done = done;
        k->userdata = userdata;
        /* Every expanded key has these bits so; a seed, or one with the public key behind it, seldom. */
        if (key.size != RADIO_KEY_SIZE)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "an expanded Ed25519 private key has %d bytes, not %zu", RADIO_KEY_SIZE,
                                   key.size);
        else if ((key.data[0] & 7) != 0 || (key.data[31] & 0xC0) != 0x40)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "this is no expanded Ed25519 private key (a seed, or a seed and a public "
                                   "key, perhaps)");

        if (outcome.code != OUTCOME_OK) {
                request_submit_failed(radio, &k->request, &import_kind, &outcome);
                return;
        }
        memcpy(k->key, key.data, sizeof(k->key));
        request_submit(radio, &k->request, &import_kind);
}
