/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "card.h"
#include "channels-api.h"
#include "derive.h"
#include "macros.h"
#include "request-internal.h"

typedef struct ChannelRequest {
        Request request;
        int slot;
        char *name;
        bool clear;
        uint8_t secret[CHANNEL_SECRET_SIZE];
        bool holding;                      /* the receiver fetches nothing for our sake */
        bool sent;                         /* the radio was told, and we are not sure yet what it has */
        radio_channel_done_t channel_done; /* one of these */
        radio_done_t done;
        void *userdata;
} ChannelRequest;

static const char public_name[] = "Public";

static unsigned count_slots(const Radio *radio) {
        return MIN(radio->info.max_channels > 0 ? radio->info.max_channels : CHANNELS_MAX_UNTOLD,
                   (unsigned) IDENTITY_SLOTS_MAX);
}

int radio_free_channel_slot(Radio *radio) {
        if (!radio->identity || radio->info.level == 0)
                return -1;

        for (unsigned slot = 0; slot < count_slots(radio); slot++)
                if (!identity_get_slot(radio->identity, slot))
                        return (int) slot;
        return -1;
}

static int find_secret(Radio *radio, const uint8_t *secret) {
        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++) {
                const Channel *channel = identity_get_slot(radio->identity, slot);

                if (channel && memcmp(channel->secret, secret, CHANNEL_SECRET_SIZE) == 0)
                        return (int) slot;
        }
        return -1;
}

/* -- the end -------------------------------------------------------------------------- */

static void channel_request_done(Request *request, const Outcome *outcome) {
        ChannelRequest *c = (ChannelRequest *) request;
        Radio *radio = request->radio;

        /* No answer, or not what we hoped: let the radio say what it has now. */
        if (c->sent)
                fresh_read_slot(radio->fresh, (unsigned) c->slot);
        else
                radio_release_slot(radio);
        if (c->holding)
                receive_release(radio->receive);

        if (c->channel_done)
                c->channel_done(radio, outcome,
                                outcome->code == OUTCOME_OK
                                                ? identity_get_slot(radio->identity, (unsigned) c->slot)
                                                : NULL,
                                c->userdata);
        else
                c->done(radio, outcome, c->userdata);

        explicit_bzero(c->secret, sizeof(c->secret));
        g_free(c->name);
        g_free(c);
}

/* -- steps ------------------------------------------------------------------------------ */

/* All that came by the old secret is fetched: from here on the slot means the new channel. */
static void settled(int r, void *userdata) {
        ChannelRequest *c = userdata;
        Radio *radio = c->request.radio;

        c->sent = false;
        r = identity_set_slot(radio->identity, (unsigned) c->slot, c->name, c->clear ? NULL : c->secret,
                              c->clear ? CHANNEL_PRIVATE : translate_channel_kind(c->name, c->secret));
        if (r >= 0) {
                request_succeed(&c->request);
                return;
        }

        /* The radio has it, we could not write it down: only a new start brings both together. */
        request_fail_errno(&c->request, r);
        radio_fail(radio, REASON_STORAGE_FULL, OUTCOME_STORAGE_FULL, "cannot store the channels: %s",
                   g_strerror(-r));
}

static void slot_written(Request *request, const Frame *frame) {
        ChannelRequest *c = (ChannelRequest *) request;

        if (c->holding)
                receive_settle(request->radio->receive, settled, c);
        else
                settled(0, c);
}

static void write_slot(ChannelRequest *c) {
        Command command;
        int r;

        r = command_set_channel(&command, (uint8_t) c->slot, c->name, c->secret);
        if (r < 0) {
                request_fail_errno(&c->request, r);
                return;
        }

        c->sent = true;
        request_call(&c->request, &command, slot_written);
        explicit_bzero(&command, sizeof(command));
}

static void drained(int r, void *userdata) {
        ChannelRequest *c = userdata;

        if (r < 0) {
                request_fail(&c->request, OUTCOME_STORAGE_FULL,
                             "the messages that wait in the radio cannot be fetched first: %s",
                             g_strerror(-r));
                return;
        }

        c->holding = true;
        write_slot(c);
}

static bool check_slot(ChannelRequest *c) {
        Radio *radio = c->request.radio;

        if (c->slot >= 0 && (unsigned) c->slot < count_slots(radio))
                return true;

        request_fail(&c->request, OUTCOME_INVALID_ARGUMENTS, "this radio has the channel slots 0 to %u",
                     count_slots(radio) - 1);
        return false;
}

static void set_start(Request *request, const Frame *frame) {
        ChannelRequest *c = (ChannelRequest *) request;
        Radio *radio = request->radio;
        int other = c->clear ? -1 : find_secret(radio, c->secret);
        const Channel *current;

        if (c->slot == CHANNEL_SLOT_ANY && other < 0) {
                c->slot = radio_free_channel_slot(radio);
                if (c->slot < 0) {
                        request_fail(request, OUTCOME_TABLE_FULL, "all %u slots are taken; clear one first",
                                     count_slots(radio));
                        return;
                }
        }
        if (other >= 0 && other != c->slot) {
                request_fail(request, OUTCOME_INVALID_ARGUMENTS,
                             "a channel with this secret is in slot %d already", other);
                return;
        }
        if (!check_slot(c))
                return;

        current = identity_get_slot(radio->identity, (unsigned) c->slot);
        if (c->clear && !current)
                request_fail(request, OUTCOME_NOT_FOUND, "slot %d is empty", c->slot);
        else if (other >= 0 && strcmp(current->name, c->name) == 0)
                request_succeed(request);
        else {
                /* Texts for the channel that leaves must not go out by the next one's secret. */
                radio->changing_slot = c->slot;
                if (other >= 0 || !current)
                        write_slot(c);
                else
                        receive_hold(radio->receive, drained, c);
        }
}

static const RequestKind set_kind = {
                .what = "cannot set the channel",
                .start = set_start,
                .done = channel_request_done,
};

static const RequestKind clear_kind = {
                .what = "cannot clear the channel",
                .start = set_start,
                .done = channel_request_done,
};

/* -- what a person gave --------------------------------------------------------------------- */

static OutcomeCode take_name(ChannelRequest *c, const ChannelFields *fields, Outcome *ret) {
        const char *name = fields->name;

        if (!name && fields->source == CHANNEL_SECRET_PUBLIC)
                name = public_name;
        if (!name || name[0] == '\0')
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "a channel needs a name");
        if (!g_utf8_validate(name, -1, NULL))
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "the name is not valid UTF-8");
        if (strlen(name) > CHANNEL_NAME_MAX)
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                   "the name is %zu bytes too long: at most %d bytes of UTF-8 fit",
                                   strlen(name) - CHANNEL_NAME_MAX, CHANNEL_NAME_MAX);

        c->name = g_strdup(name);
        return OUTCOME_OK;
}

static OutcomeCode take_secret(ChannelRequest *c, const ChannelFields *fields, Outcome *ret) {
        static const uint8_t zeroes[CHANNEL_SECRET_SIZE];

        switch (fields->source) {
        case CHANNEL_SECRET_GIVEN:
                memcpy(c->secret, fields->secret, sizeof(c->secret));
                if (memcmp(c->secret, zeroes, sizeof(zeroes)) == 0)
                        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                           "a secret of zeroes marks an empty slot; give another one");
                return OUTCOME_OK;
        case CHANNEL_SECRET_DERIVED:
                if (c->name[0] != '#' || derive_hashtag_secret(c->name, c->secret) < 0)
                        return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS,
                                           "a secret is derived only from a name that begins with '#' and "
                                           "goes on");
                return OUTCOME_OK;
        case CHANNEL_SECRET_PUBLIC:
                memcpy(c->secret, public_channel_secret, sizeof(c->secret));
                return OUTCOME_OK;
        case CHANNEL_SECRET_RANDOM:
                if (getrandom(c->secret, sizeof(c->secret), 0) != (ssize_t) sizeof(c->secret))
                        return outcome_set(ret, OUTCOME_FAILED, "the system gives no random numbers");
                return OUTCOME_OK;
        default:
                return outcome_set(ret, OUTCOME_INVALID_ARGUMENTS, "there is no such kind of secret");
        }
}

void radio_set_channel(Radio *radio, const ChannelFields *fields, radio_channel_done_t done, void *userdata) {
        ChannelRequest *c = g_new0(ChannelRequest, 1);
        g_auto(Outcome) outcome = {};
        OutcomeCode code;

        c->slot = fields->slot;
        c->channel_done = done;
        c->userdata = userdata;
        code = take_name(c, fields, &outcome);
        if (code == OUTCOME_OK)
                code = take_secret(c, fields, &outcome);

        if (code != OUTCOME_OK)
                request_submit_failed(radio, &c->request, &set_kind, &outcome);
        else
                request_submit(radio, &c->request, &set_kind);
}

void radio_clear_channel(Radio *radio, unsigned slot, radio_done_t done, void *userdata) {
        ChannelRequest *c = g_new0(ChannelRequest, 1);

        c->slot = (int) MIN(slot, (unsigned) IDENTITY_SLOTS_MAX);
        c->clear = true;
        c->name = g_strdup("");
        c->done = done;
        c->userdata = userdata;
        request_submit(radio, &c->request, &clear_kind);
}

OutcomeCode radio_channel_uri(Radio *radio, const Channel *channel, char **ret, Outcome *ret_outcome) {
        Card card = {.kind = CARD_CHANNEL};
        char *uri = g_malloc(CARD_URI_SIZE_MAX);
        int r;

        (void) g_strlcpy(card.name, channel->name, sizeof(card.name));
        memcpy(card.secret, channel->secret, sizeof(card.secret));
        r = card_print(&card, uri, CARD_URI_SIZE_MAX);
        explicit_bzero(&card, sizeof(card));
        if (r < 0) {
                explicit_bzero(uri, CARD_URI_SIZE_MAX);
                g_free(uri);
                return outcome_set(ret_outcome, OUTCOME_NOT_SUPPORTED,
                                   "a URI cannot carry the control characters in the channel's name");
        }

        *ret = uri;
        return OUTCOME_OK;
}
