/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fault-run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "macros.h"
#include "radio-fixture.h"
#include "replay.h"

#define PATIENCE_USEC (30 * USEC_PER_SEC)
#define POLL_USEC     (60 * USEC_PER_MSEC)
#define COMMAND_USEC  (60 * USEC_PER_MSEC)
#define PROBE_USEC    (20 * USEC_PER_MSEC)
#define PROBES        3
#define REBOOT_USEC   (20 * USEC_PER_MSEC)
#define GARBAGE_MAX   400
#define TEXTS_MAX     3

typedef struct Run {
        Fixture f;
        const FaultPoint *point;
        GRand *dice;
        Transcript *transcript;
        Replay *replay;

        bool hold;          /* the queue is empty as yet */
        bool armed;         /* frames count */
        unsigned n_frames;  /* since then */
        unsigned strike_at; /* the number of the frame; 0: no more */
        LinkFault fault;    /* … and what then happens */
        FaultPlace place;   /* … and where */
        bool first;         /* the one that the test is about */
        unsigned n_strikes;
        bool live_sent;      /* what is to happen once it is ready, did */
        unsigned connection; /* the one of the next members */
        bool told;           /* SELF_INFO */
        bool queried;        /* DEVICE_QUERY was answered from the recording */
        bool mute;
        bool spoiled;       /* the daemon need not take what comes from now on */
        GPtrArray *held;    /* GBytes of the stream: in a pause */
        size_t held_offset; /* of the first one */
        sd_event_source *timer, *confirm;
        guint n_confirmed;

        GPtrArray *handed, *maybe; /* GBytes: message frames that arrived, or perhaps did */
        GHashTable *told_ids;      /* received messages that the observer heard of: id → n */
        GArray *sent;              /* uint64_t */
} Run;

static const char *const faults[_FAULT_MAX] = {"none", "cut", "reset", "stall", "pause", "garbage", "reboot"};
static const char *const places[_FAULT_PLACE_MAX] = {"before", "inside", "behind"};

static int find_name(const char *const *names, int n, const char *text) {
        for (int i = 0; i < n; i++)
                if (strcmp(names[i], text) == 0)
                        return i;
        return -EINVAL;
}

const char *link_fault_to_string(LinkFault fault) {
        return faults[fault];
}

LinkFault link_fault_from_string(const char *text) {
        return (LinkFault) find_name(faults, _FAULT_MAX, text);
}

const char *fault_place_to_string(FaultPlace place) {
        return places[place];
}

FaultPlace fault_place_from_string(const char *text) {
        return (FaultPlace) find_name(places, _FAULT_PLACE_MAX, text);
}

/* -- the line ------------------------------------------------------------------------- */

static void notice_connection(Run *run) {
        if (run->connection == run->f.peer->connections)
                return;

        run->connection = run->f.peer->connections;
        run->told = run->queried = run->mute = run->spoiled = false;
        g_ptr_array_set_size(run->held, 0);
        run->n_confirmed = run->f.peer->acks->len;
        replay_disconnected(run->replay);
}

/* One frame has gone to the daemon completely. */
static void note_arrived(Run *run, const uint8_t *bytes, size_t size, bool surely) {
        Slice frame = {bytes + STREAM_HEADER_SIZE, size - STREAM_HEADER_SIZE};

        if (frame.data[0] == RESP_SELF_INFO)
                run->told = true;
        if (raw_is_message(frame))
                g_ptr_array_add(surely && !run->spoiled ? run->handed : run->maybe,
                                g_bytes_new(frame.data, frame.size));
}

static void put(Run *run, const uint8_t *bytes, size_t size) {
        if (run->f.peer->fd >= 0 && size > 0)
                (void) send(run->f.peer->fd, bytes, size, MSG_NOSIGNAL);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Run *run = userdata;

        run->timer = sd_event_source_disable_unref(run->timer);
        notice_connection(run);
        if (!run->mute)
                return 0;

        run->mute = false;
        /* The daemon may have given up already. */
        run->spoiled = true;
        for (guint i = 0; i < run->held->len; i++) {
                gsize size;
                const uint8_t *bytes = g_bytes_get_data(run->held->pdata[i], &size);

                put(run, bytes + run->held_offset, size - run->held_offset);
                note_arrived(run, bytes, size, true);
                run->held_offset = 0;
        }
        g_ptr_array_set_size(run->held, 0);
        if (run->f.peer->source)
                (void) sd_event_source_set_enabled(run->f.peer->source, SD_EVENT_ON);
        return 0;
}

static int on_booted(sd_event_source *source, uint64_t usec, void *userdata) {
        Run *run = userdata;

        run->timer = sd_event_source_disable_unref(run->timer);
        peer_listen(run->f.peer, run->f.peer->port);
        return 0;
}

static void start_timer(Run *run, uint64_t usec, sd_event_time_handler_t handler) {
        run->timer = sd_event_source_disable_unref(run->timer);
        ck_assert_int_ge(sd_event_add_time_relative(run->f.event, &run->timer, CLOCK_BOOTTIME, usec, 0,
                                                    handler, run),
                         0);
}

static void stop_listening(Peer *peer) {
        peer->listen_source = sd_event_source_disable_unref(peer->listen_source);
        peer->listener = safe_close(peer->listener);
}

/* What no radio sends, and what the daemon can tell from frames. */
static void put_garbage(Run *run) {
        uint8_t bytes[GARBAGE_MAX];
        size_t size = (size_t) g_rand_int_range(run->dice, 1, GARBAGE_MAX);

        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t) g_rand_int_range(run->dice, 0, 256);
        switch (g_rand_int_range(run->dice, 0, 3)) {
        case 0:
                bytes[0] = bytes[0] == STREAM_MARKER_RADIO ? 0 : bytes[0];
                break;
        case 1:
                bytes[0] = STREAM_MARKER_APP;
                break;
        default: /* longer than any frame */
                size = MAX(size, (size_t) STREAM_HEADER_SIZE);
                bytes[0] = STREAM_MARKER_RADIO;
                bytes[2] |= 0x80;
        }
        put(run, bytes, size);
}

static size_t part_of(Run *run, FaultPlace place, size_t size) {
        switch (place) {
        case FAULT_BEFORE:
                return 0;
        case FAULT_INSIDE:
                return (size_t) g_rand_int_range(run->dice, 1, (gint32) size);
        default:
                return size;
        }
}

static void strike(Run *run, const uint8_t *bytes, size_t size) {
        const struct linger linger = {.l_onoff = 1};
        /* Within the deadline of a command, after it, or when all hope is gone. */
        const uint64_t pauses[] = {COMMAND_USEC / 2, COMMAND_USEC + PROBE_USEC * 2,
                                   COMMAND_USEC + PROBE_USEC * (PROBES + 3)};
        Peer *peer = run->f.peer;
        size_t part = part_of(run, run->place, size);

        run->n_strikes++;
        if (run->fault == FAULT_GARBAGE) {
                put_garbage(run);
                run->spoiled = true;
                put(run, bytes, size);
                note_arrived(run, bytes, size, true);
                return;
        }

        put(run, bytes, part);
        if (part == size)
                note_arrived(run, bytes, size, true);
        switch (run->fault) {
        case FAULT_RESET:
                (void) setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
                peer_drop(peer);
                break;
        case FAULT_CUT:
                peer_drop(peer);
                break;
        case FAULT_REBOOT:
                peer_drop(peer);
                stop_listening(peer);
                engine_reboot(peer->engine);
                start_timer(run, REBOOT_USEC, on_booted);
                break;
        case FAULT_PAUSE:
                run->held_offset = part;
                if (part < size)
                        g_ptr_array_add(run->held, g_bytes_new(bytes, size));
                else
                        run->held_offset = 0;
                start_timer(run, pauses[g_rand_int_range(run->dice, 0, ELEMENTSOF(pauses))], on_pause_over);
                G_GNUC_FALLTHROUGH;
        default:
                run->mute = true;
                (void) sd_event_source_set_enabled(peer->source, SD_EVENT_OFF);
        }
}

/* Now and then a second one, before the daemon has got over the first. */
static void choose_next(Run *run) {
        run->first = false;
        run->strike_at = 0;
        if (g_rand_int_range(run->dice, 0, 3) > 0)
                return;

        run->strike_at = run->n_frames + (unsigned) g_rand_int_range(run->dice, 1, 40);
        run->fault = (LinkFault) g_rand_int_range(run->dice, FAULT_CUT, _FAULT_MAX);
        run->place = (FaultPlace) g_rand_int_range(run->dice, 0, _FAULT_PLACE_MAX);
}

static void confirm(Peer *peer, guint n) {
        uint8_t frame[9] = {PUSH_SEND_CONFIRMED, 0, 0, 0, 0, 0x40, 0x01, 0, 0};

        memcpy(frame + 1, g_bytes_get_data(peer->acks->pdata[n], NULL), 4);
        peer_send(peer, frame, sizeof(frame));
}

static int on_confirm(sd_event_source *source, void *userdata) {
        Run *run = userdata;

        run->confirm = sd_event_source_disable_unref(run->confirm);
        notice_connection(run);
        while (run->f.peer->fd >= 0 && run->n_confirmed < run->f.peer->acks->len)
                confirm(run->f.peer, run->n_confirmed++);
        return 0;
}

static bool on_write(Peer *peer, const uint8_t *bytes, size_t size, void *userdata) {
        Run *run = userdata;

        notice_connection(run);
        if (run->mute) {
                if (run->timer)
                        g_ptr_array_add(run->held, g_bytes_new(bytes, size));
                return false;
        }
        if (bytes[STREAM_HEADER_SIZE] == RESP_SENT && !run->confirm)
                ck_assert_int_ge(sd_event_add_defer(run->f.event, &run->confirm, on_confirm, run), 0);

        run->n_frames += run->armed;
        if (run->armed && run->n_frames == run->strike_at) {
                if (run->first || radio_state(run->f.radio) != RADIO_READY) {
                        strike(run, bytes, size);
                        choose_next(run);
                        return false;
                }
                run->strike_at = 0;
        }
        note_arrived(run, bytes, size, true);
        return true;
}

/* A factory reset makes another radio, which has no part in this. */
static bool is_one_radio(const Transcript *transcript) {
        const TranscriptRecord *first = transcript_find(transcript, RESP_SELF_INFO);

        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);

                if (transcript_is(record, RESP_SELF_INFO) && record->frame_size >= 4 + PUBLIC_KEY_SIZE &&
                    memcmp(record->frame + 4, first->frame + 4, PUBLIC_KEY_SIZE) != 0)
                        return false;
        }
        return true;
}

static bool on_command(Peer *peer, const uint8_t *frame, size_t size, void *userdata) {
        Run *run = userdata;
        const uint8_t *answer;
        size_t n;

        notice_connection(run);
        if (frame[0] == CMD_SYNC_NEXT_MESSAGE || frame[0] == CMD_SEND_TXT_MSG ||
            frame[0] == CMD_SEND_CHANNEL_TXT_MSG)
                ck_assert_msg(run->told, "command %u before the radio said who it is", frame[0]);
        if (run->hold && frame[0] == CMD_SYNC_NEXT_MESSAGE) {
                peer_send(peer, (const uint8_t[]){RESP_NO_MORE_MESSAGES}, 1);
                return false;
        }
        /* The clock is the engine's, the recording is of another time. */
        if (frame[0] == CMD_GET_DEVICE_TIME || (frame[0] == CMD_APP_START && !is_one_radio(run->transcript)))
                return true;
        /* With it the daemon makes sure that no late answer is on its way. A recording may have one behind
         * that it passed over, and something else in its place. */
        if (frame[0] == CMD_DEVICE_QUERY && run->queried)
                return true;
        run->queried = run->queried || frame[0] == CMD_DEVICE_QUERY;
        if (frame[0] == CMD_SET_DEVICE_TIME) {
                engine_set_clock(peer->engine, 0);
                return true;
        }
        if (!replay_command(run->replay, frame, size))
                return true;
        while (replay_next(run->replay, &answer, &n))
                peer_send(peer, answer, n);
        return false;
}

/* -- the radio and its messages -------------------------------------------------------------- */

static Peer *make_peer(Run *run) {
        g_autofree char *name = NULL;
        EngineConfig config = {
                        .firmware = ENGINE_FIRMWARE_1_17_1,
                        .seed = 1,
                        .queue_size = 256,
                        .max_contacts = 350,
                        .max_channels = 40,
                        .speed = 1,
        };
        Peer *peer;

        sim_crypto_init();
        transcript_configure(run->transcript, &config, &name);
        peer = peer_new_with(run->f.event, &config);
        /* While this one reboots, nobody else may come to its port: an address for each process. */
        stop_listening(peer);
        peer->address = UINT32_C(0x7F000000) | ((uint32_t) getpid() & 0xFFFFFF);
        peer_listen(peer, 0);
        transcript_teach_settings(run->transcript, peer->engine);
        transcript_teach_contacts(run->transcript, peer->engine, true);
        transcript_teach_channels(run->transcript, peer->engine);
        if (engine_n_contacts(peer->engine) == 0)
                (void) peer_add_contact(peer, 1, CONTACT_CHAT, 0, true);
        peer->on_command = on_command;
        peer->on_write = on_write;
        peer->userdata = run;
        return peer;
}

/* Also in a recording without messages some wait. */
static void queue_messages(Run *run) {
        const EngineContact *contact = engine_contact_at(run->f.peer->engine, 0);

        peer_queue_text(run->f.peer, &contact->key, 1700000001, "one");
        peer_queue_text(run->f.peer, &contact->key, 1700000002, "two");
        peer_queue_channel_text(run->f.peer, 0, 1700000003, "Ann: three");
}

static void send_texts(Run *run) {
        Identity *identity = radio_identity(run->f.radio);
        const EngineContact *contact;
        uint64_t id;
        Contact *to;

        for (size_t i = 0; i < transcript_length(run->transcript) && run->sent->len < TEXTS_MAX; i++) {
                const TranscriptRecord *record = transcript_at(run->transcript, i);
                g_autofree char *text = g_strdup_printf("text %u", run->sent->len);

                if (!record->from_app || record->frame_size < 14 || record->frame[0] != CMD_SEND_TXT_MSG ||
                    identity_find_contact_prefix(identity, record->frame + 7, KEY_PREFIX_SIZE, &to) != 1 ||
                    to->type != CONTACT_CHAT)
                        continue;
                id = fixture_send(&run->f, &to->key, text);
                g_array_append_val(run->sent, id);
        }
        for (size_t i = 0; run->sent->len == 0 && (contact = engine_contact_at(run->f.peer->engine, i)); i++)
                if (contact->type == CONTACT_CHAT && identity_get_contact(identity, &contact->key)) {
                        id = fixture_send(&run->f, &contact->key, "text");
                        g_array_append_val(run->sent, id);
                }
        for (unsigned slot = 0; slot < IDENTITY_SLOTS_MAX; slot++)
                if (identity_get_slot(identity, slot)) {
                        id = fixture_send_channel(&run->f, slot, "text to all");
                        g_array_append_val(run->sent, id);
                        return;
                }
}

static void on_message_added(Identity *identity, const Message *message, void *userdata) {
        Run *run = userdata;
        gpointer id = GUINT_TO_POINTER(message->id);

        if (message->state == MESSAGE_RECEIVED)
                g_hash_table_insert(
                                run->told_ids, id,
                                GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(run->told_ids, id)) +
                                                 1));
}

static void on_identity_loaded(Radio *radio, void *userdata) {
        static const IdentityObserver observer = {.message_added = on_message_added};

        identity_set_observer(radio_identity(radio), &observer, userdata);
}

/* -- what must be true ---------------------------------------------------------------------- */

static char *name_of(const Message *m) {
        g_autofree char *data = m->data ? g_base64_encode(m->data, m->data_size) : g_strdup("");

        return g_strdup_printf("%d %u %02x%02x %s|%s|%s", m->kind, m->sender_timestamp, m->peer_prefix[0],
                               m->peer_prefix[1], m->author, m->text, data);
}

static GHashTable *names_of(Run *run, GPtrArray *frames) {
        GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (guint i = 0; i < frames->len; i++) {
                Frame decoded;
                Slice raw;
                bool ok;

                raw.data = g_bytes_get_data(frames->pdata[i], &raw.size);
                ok = frame_decode(raw.data, raw.size, NULL, &decoded) >= 0;
                g_autoptr(Message) m =
                                translate_message(radio_identity(run->f.radio), ok ? &decoded : NULL, raw, 1);
                g_hash_table_add(names, name_of(m));
        }
        return names;
}

static GPtrArray *stored(Run *run) {
        MessageFilter filter;
        GPtrArray *page = NULL;

        message_filter_init(&filter);
        filter.direction = 1;
        ck_assert_int_ge(identity_list_messages(radio_identity(run->f.radio), &filter, 0, true, 10000, &page),
                         0);
        return page;
}

/* All that arrived is there once, and was told once. Returns whether nothing is missing; what should not be
 * there fails at once. */
static bool check_received(Run *run) {
        g_autoptr(GHashTable) handed = names_of(run, run->handed), maybe = names_of(run, run->maybe);
        g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GPtrArray) page = stored(run);
        GHashTableIter iter;
        gpointer key;

        for (guint i = 0; i < page->len; i++) {
                const Message *m = page->pdata[i];
                char *name = name_of(m);

                ck_assert_msg(g_hash_table_contains(handed, name) || g_hash_table_contains(maybe, name),
                              "stored and never handed over: %s", name);
                ck_assert_msg(g_hash_table_add(found, name), "stored twice: %s", name);
                ck_assert_uint_eq(
                                GPOINTER_TO_UINT(g_hash_table_lookup(run->told_ids, GUINT_TO_POINTER(m->id))),
                                1);
        }
        ck_assert_uint_eq(g_hash_table_size(run->told_ids), page->len);

        g_hash_table_iter_init(&iter, handed);
        while (g_hash_table_iter_next(&iter, &key, NULL))
                if (!g_hash_table_contains(found, key))
                        return false;
        return true;
}

/* The commands that carried this text: how many, and that no try came twice. */
static unsigned count_tries(Run *run, const Message *m) {
        uint8_t code = m->channel ? CMD_SEND_CHANNEL_TXT_MSG : CMD_SEND_TXT_MSG;
        size_t offset = m->channel ? 7 : 13, length = strlen(m->text);
        const uint8_t *first = NULL;
        bool seen[256] = {};
        unsigned n = 0;

        for (guint i = 0; i < run->f.peer->commands->len; i++) {
                gsize size;
                const uint8_t *frame = g_bytes_get_data(run->f.peer->commands->pdata[i], &size);

                if (frame[0] != code || size != offset + length ||
                    memcmp(frame + offset, m->text, length) != 0)
                        continue;
                n++;
                if (!first)
                        first = frame;
                ck_assert_mem_eq(first + 3, frame + 3, offset - 3); /* timestamp, and to whom */
                if (!m->channel) {
                        ck_assert_msg(!seen[frame[2]], "try %u of %s twice", frame[2], m->text);
                        seen[frame[2]] = true;
                }
        }
        return n;
}

/* Whether contacts and channels were the same all along: else a second question may be answered as it was
 * only later in the recording. */
static bool is_steady(const Transcript *transcript) {
        int n = 0, n_first = -1;

        for (size_t i = 0; i < transcript_length(transcript); i++) {
                const TranscriptRecord *record = transcript_at(transcript, i);

                if (record->from_app && record->frame_size > 0 &&
                    (record->frame[0] == CMD_ADD_UPDATE_CONTACT || record->frame[0] == CMD_REMOVE_CONTACT ||
                     record->frame[0] == CMD_SET_CHANNEL))
                        return false;
                if (transcript_is(record, RESP_CONTACTS_START))
                        n = 0;
                else if (transcript_is(record, RESP_CONTACT))
                        n++;
                else if (transcript_is(record, RESP_END_OF_CONTACTS)) {
                        if (n_first >= 0 && n != n_first)
                                return false;
                        n_first = n;
                }
        }
        return true;
}

static bool check_sent(Run *run) {
        for (guint i = 0; i < run->sent->len; i++) {
                g_autoptr(Message) m = fixture_message(&run->f, g_array_index(run->sent, uint64_t, i));
                unsigned n = count_tries(run, m);

                if (m->channel)
                        ck_assert_msg(n <= 1, "%s went out %u times", m->text, n);
                /* Perhaps to somebody whom the radio does not know any more. */
                if (m->state == MESSAGE_FAILED && !is_steady(run->transcript))
                        continue;
                if (m->state != (m->channel ? MESSAGE_SENT : MESSAGE_DELIVERED))
                        return false;
                ck_assert_msg(n >= 1 || m->uncertain, "%s never went out", m->text);
        }
        return true;
}

static int compare_names(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void make_digest(Run *run, char ret[65]) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        Identity *identity = radio_identity(run->f.radio);
        bool steady = is_steady(run->transcript);
        g_autofree char *text = NULL, *digest = NULL;
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, identity_contacts(identity));
        while (steady && g_hash_table_iter_next(&iter, NULL, &value)) {
                const Contact *contact = value;
                KeyText key = key_to_text(&contact->key);

                g_ptr_array_add(names,
                                g_strdup_printf("%s %d %s", key.text, contact->on_radio, contact->name));
        }
        for (unsigned slot = 0; steady && slot < IDENTITY_SLOTS_MAX; slot++) {
                const Channel *channel = identity_get_slot(identity, slot);

                if (channel)
                        g_ptr_array_add(names, g_strdup_printf("%u %s", slot, channel->name));
        }
        g_ptr_array_sort(names, compare_names);
        g_ptr_array_add(names, NULL);
        text = g_strjoinv("\n", (char **) names->pdata);
        if (g_getenv("DIGESTS"))
                g_printerr("%s\n", text);
        digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
        memcpy(ret, digest, 65);
}

/* -- a life -------------------------------------------------------------------------------------- */

/* The peer's clock makes a minute of each command. */
static bool is_well(Run *run) {
        return radio_state(run->f.radio) == RADIO_READY && (radio_reason(run->f.radio) == REASON_NONE ||
                                                            radio_reason(run->f.radio) == REASON_CLOCK_AHEAD);
}

static bool is_over(Run *run) {
        return is_well(run) && run->live_sent && !run->timer && (!run->first || run->strike_at == 0) &&
               check_sent(run) && check_received(run);
}

static void live(Run *run) {
        uint64_t end = clock_boottime_usec() + PATIENCE_USEC;
        bool over = false;

        while (!over) {
                ck_assert_msg(clock_boottime_usec() < end,
                              "not over: %s/%s, %u frames, strike at %u, all sent %d, all received %d",
                              radio_state_to_string(radio_state(run->f.radio)),
                              radio_reason_to_string(radio_reason(run->f.radio)), run->n_frames,
                              run->strike_at, check_sent(run), check_received(run));
                /* Who is thrown out twice soon after ready has lost the radio to somebody else, and waits a
                 * minute. One fault alone never comes to that. */
                if (radio_reason(run->f.radio) == REASON_TAKEN_OVER && run->n_strikes > 1)
                        radio_start(run->f.radio);
                fixture_turn(&run->f);
                ck_assert(!radio_is_stuck(run->f.radio));
                if (radio_state(run->f.radio) == RADIO_READY && !run->live_sent) {
                        if (!run->point->warm)
                                send_texts(run);
                        peer_queue_text(run->f.peer, &engine_contact_at(run->f.peer->engine, 0)->key,
                                        1700000004, "live");
                        run->live_sent = true;
                }
                if (is_over(run)) {
                        fixture_settle(&run->f);
                        over = is_over(run);
                }
        }
}

static void add_radio(Run *run) {
        RadioSettings *settings = radio_settings_new("sim");
        const uint32_t address = run->f.peer->address;
        g_autofree char *transport = g_strdup_printf("tcp://127.%u.%u.%u:%u", address >> 16 & 0xFF,
                                                     address >> 8 & 0xFF, address & 0xFF, run->f.peer->port);
        const char *why;

        ck_assert_int_eq(radio_settings_set_transport(settings, transport, &why), 0);
        settings->enabled = settings->trust_clock = true;
        settings->poll_usec = POLL_USEC;
        ck_assert_int_eq(manager_add_radio(run->f.manager, settings, &run->f.radio), 0);
}

/* An earlier day, on which all went well. */
static void warm_up(Run *run) {
        run->hold = true;
        fixture_until(&run->f, radio_state(run->f.radio) == RADIO_READY);
        fixture_settle(&run->f);
        radio_stop(run->f.radio);
        fixture_until(&run->f, radio_state(run->f.radio) == RADIO_STOPPED);
        run->hold = false;
        send_texts(run);
}

void fault_run(const FaultPoint *point, const char *expected, FaultResult *ret) {
        static const RadioObserver observer = {.identity_loaded = on_identity_loaded};
        Run run = {
                        .point = point,
                        .fault = point->fault,
                        .place = point->place,
                        .strike_at = point->frame,
                        .first = point->fault != FAULT_NONE,
        };

        fixture_begin(&run.f);
        radio_timing.session = (SessionTiming){COMMAND_USEC, COMMAND_USEC, COMMAND_USEC, PROBE_USEC, PROBES};
        run.dice = g_rand_new_with_seed(point->seed);
        run.held = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        run.handed = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        run.maybe = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        run.told_ids = g_hash_table_new(NULL, NULL);
        run.sent = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        ck_assert_int_eq(transcript_load(point->transcript, &run.transcript), 0);
        run.replay = replay_new(run.transcript);
        run.f.peer = make_peer(&run);
        manager_set_observer(run.f.manager, &observer, &run);
        add_radio(&run);

        if (point->warm)
                warm_up(&run);
        queue_messages(&run);
        run.armed = true;
        if (point->warm)
                radio_start(run.f.radio);
        live(&run);

        ret->n_frames = run.n_frames;
        make_digest(&run, ret->digest);
        if (expected)
                ck_assert_str_eq(ret->digest, expected);

        sd_event_source_disable_unref(run.timer);
        sd_event_source_disable_unref(run.confirm);
        run.f.peer->on_write = NULL;
        run.f.peer->on_command = NULL;
        fixture_teardown(&run.f);
        replay_free(run.replay);
        transcript_free(run.transcript);
        g_rand_free(run.dice);
        g_ptr_array_unref(run.held);
        g_ptr_array_unref(run.handed);
        g_ptr_array_unref(run.maybe);
        g_hash_table_unref(run.told_ids);
        g_array_unref(run.sent);
}
