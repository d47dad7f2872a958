/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "macros.h"
#include "radio-fixture.h"

#define PATIENCE_USEC (5 * USEC_PER_SEC)
#define SILENCE_USEC  (15 * USEC_PER_MSEC)
/* The radio's clock: behind ours, so that a test of the clock sees it. */
#define EPOCH UINT32_C(1700000000)

EngineFirmware peer_firmware = ENGINE_FIRMWARE_1_17_1;

/* -- the radio --------------------------------------------------------------------- */

static bool peer_write(void *userdata, const uint8_t *data, size_t size) {
        uint8_t frame[FRAME_SIZE_MAX], out[FRAME_SIZE_MAX + STREAM_HEADER_SIZE];
        Peer *peer = userdata;
        int n;

        if (peer->fd < 0 || size > sizeof(frame))
                return false;

        memcpy(frame, data, size);
        if (frame[0] == RESP_SENT && size >= 10) {
                g_ptr_array_add(peer->acks, g_bytes_new(frame + 2, 4));
                if (!peer->no_estimate)
                        memcpy(frame + 6, (const uint8_t[]){10, 0, 0, 0}, 4);
        }
        n = stream_encode(STREAM_MARKER_RADIO, frame, size, out, sizeof(out));
        ck_assert_int_gt(n, 0);
        if (peer->on_write && !peer->on_write(peer, out, (size_t) n, peer->userdata))
                return peer->fd >= 0;
        return send(peer->fd, out, (size_t) n, MSG_NOSIGNAL) == n;
}

static bool peer_is_connected(void *userdata) {
        return ((Peer *) userdata)->fd >= 0;
}

static void peer_transmit(void *userdata, const uint8_t *raw, size_t size) {
}

void peer_drop(Peer *peer) {
        peer->source = sd_event_source_disable_unref(peer->source);
        peer->fd = safe_close(peer->fd);
}

void peer_send(Peer *peer, const uint8_t *frame, size_t size) {
        (void) peer_write(peer, frame, size);
}

static void peer_take(Peer *peer, const uint8_t *frame, size_t size) {
        uint8_t code = frame[0];

        g_ptr_array_add(peer->commands, g_bytes_new(frame, size));
        if (peer->on_command && !peer->on_command(peer, frame, size, peer->userdata))
                return;
        if (peer->mute[code])
                return;
        if (peer->refuse[code] != 0) {
                (void) peer_write(peer, (const uint8_t[]){RESP_ERR, peer->refuse[code]}, 2);
                return;
        }

        /* Time enough that the packet pool is never empty. */
        peer->now_ms += 60000;
        engine_advance(peer->engine, peer->now_ms);
        engine_command(peer->engine, frame, size);
        while (peer->fd >= 0 && engine_step(peer->engine))
                ;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Peer *peer = userdata;
        uint8_t data[4096];
        ssize_t n, taken = 0;
        Slice frame;

        n = read(fd, data, sizeof(data));
        if (n <= 0) {
                peer_drop(peer);
                return 0;
        }

        while (taken < n && peer->fd >= 0) {
                taken += (ssize_t) framer_push(&peer->framer, data + taken, (size_t) (n - taken));
                while (peer->fd >= 0 && framer_next(&peer->framer, &frame) > 0) {
                        g_autofree uint8_t *copy = g_memdup2(frame.data, frame.size);

                        peer_take(peer, copy, frame.size);
                }
        }
        return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Peer *peer = userdata;
        int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (conn < 0)
                return 0;
        peer_drop(peer);
        peer->fd = conn;
        (void) setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        peer->connections++;
        framer_init(&peer->framer, FRAMER_STRICT, STREAM_MARKER_APP);
        ck_assert_int_ge(sd_event_add_io(peer->event, &peer->source, conn, EPOLLIN, on_io, peer), 0);
        return 0;
}

void peer_listen(Peer *peer, uint16_t port) {
        struct sockaddr_in address = {
                        .sin_family = AF_INET,
                        .sin_port = htons(port),
                        .sin_addr.s_addr = htonl(peer->address ?: INADDR_LOOPBACK),
        };
        socklen_t size = sizeof(address);

        peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(peer->listener, 0);
        (void) setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        ck_assert_int_eq(bind(peer->listener, (struct sockaddr *) &address, sizeof(address)), 0);
        ck_assert_int_eq(listen(peer->listener, 4), 0);
        ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *) &address, &size), 0);
        peer->port = ntohs(address.sin_port);
        ck_assert_int_ge(sd_event_add_io(peer->event, &peer->listen_source, peer->listener, EPOLLIN,
                                         on_accept, peer),
                         0);
}

Peer *peer_new_with(sd_event *event, const EngineConfig *config) {
        static const EngineCallbacks callbacks = {
                        .write_frame = peer_write,
                        .is_connected = peer_is_connected,
                        .transmit = peer_transmit,
        };
        Peer *peer = g_new0(Peer, 1);

        peer->event = event;
        peer->fd = -1;
        peer->identity = config->identity;
        peer->engine = engine_new(config, &callbacks, peer, 0);
        peer->commands = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        peer->acks = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        peer_listen(peer, 0);
        return peer;
}

Peer *peer_new(sd_event *event, const char *name, size_t max_contacts) {
        EngineConfig config;

        sim_crypto_init();
        config = (EngineConfig){
                        .firmware = peer_firmware,
                        .seed = 1,
                        .identity = sim_identity_from_text(name),
                        .name = name,
                        .queue_size = 256,
                        .max_contacts = max_contacts,
                        .max_channels = 8,
                        .epoch = EPOCH,
                        .speed = 1,
        };
        return peer_new_with(event, &config);
}

Peer *peer_free(Peer *peer) {
        if (!peer)
                return NULL;

        peer_drop(peer);
        sd_event_source_disable_unref(peer->listen_source);
        safe_close(peer->listener);
        engine_free(peer->engine);
        g_ptr_array_unref(peer->commands);
        g_ptr_array_unref(peer->acks);
        g_free(peer);
        return NULL;
}

PublicKey key_of(unsigned n) {
        PublicKey key;

        memset(key.bytes, 0x40 + (int) (n % 64), sizeof(key.bytes));
        key.bytes[0] = (uint8_t) (0x10 + n / 64);
        key.bytes[1] = (uint8_t) n;
        return key;
}

PublicKey peer_add_contact(Peer *peer, unsigned n, uint8_t type, uint8_t flags, bool with_path) {
        EngineContact contact = {
                        .key = key_of(n),
                        .type = type,
                        .flags = flags,
                        .out_path_len = with_path ? 1 : PATH_LEN_NONE,
                        .out_path = {0xA1},
                        .last_advert = 1600000000,
                        .lastmod = EPOCH - 10000 + n,
        };

        (void) g_snprintf(contact.name, sizeof(contact.name), "Contact %u", n);
        ck_assert_int_eq(engine_put_contact(peer->engine, &contact), 0);
        return contact.key;
}

void peer_push(Peer *peer, const void *frame, size_t size) {
        ck_assert(peer_write(peer, frame, size));
}

void peer_push_key(Peer *peer, uint8_t code, const PublicKey *key) {
        uint8_t frame[1 + PUBLIC_KEY_SIZE] = {code};

        memcpy(frame + 1, key->bytes, PUBLIC_KEY_SIZE);
        peer_push(peer, frame, sizeof(frame));
}

void peer_confirm(Peer *peer, guint n_ack) {
        uint8_t frame[9] = {PUSH_SEND_CONFIRMED, 0, 0, 0, 0, 0x40, 0x01, 0, 0};

        ck_assert_uint_lt(n_ack, peer->acks->len);
        memcpy(frame + 1, g_bytes_get_data(peer->acks->pdata[n_ack], NULL), 4);
        peer_push(peer, frame, sizeof(frame));
}

static void put_u32(uint8_t *p, uint32_t value) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t) (value >> (8 * i));
}

void peer_queue_text(Peer *peer, const PublicKey *from, uint32_t timestamp, const char *text) {
        uint8_t frame[FRAME_SIZE_MAX] = {RESP_CONTACT_MSG_RECV_V3, 20};

        memcpy(frame + 4, from->bytes, KEY_PREFIX_SIZE);
        frame[10] = MESSAGE_PATH_DIRECT;
        put_u32(frame + 12, timestamp);
        memcpy(frame + 16, text, strlen(text));
        engine_queue_frame(peer->engine, frame, 16 + strlen(text));
}

void peer_queue_channel_text(Peer *peer, uint8_t slot, uint32_t timestamp, const char *text) {
        uint8_t frame[FRAME_SIZE_MAX] = {RESP_CHANNEL_MSG_RECV_V3, 20, 0, 0, slot, 1};

        put_u32(frame + 7, timestamp);
        memcpy(frame + 11, text, strlen(text));
        engine_queue_frame(peer->engine, frame, 11 + strlen(text));
}

const uint8_t *peer_command(const Peer *peer, uint8_t code, unsigned n) {
        for (guint i = 0; i < peer->commands->len; i++) {
                const uint8_t *frame = g_bytes_get_data(peer->commands->pdata[i], NULL);

                if (frame[0] == code && n-- == 0)
                        return frame;
        }
        return NULL;
}

unsigned peer_count(const Peer *peer, uint8_t code) {
        unsigned n = 0;

        while (peer_command(peer, code, n))
                n++;
        return n;
}

void peer_forget(Peer *peer) {
        g_ptr_array_set_size(peer->commands, 0);
}

/* -- observers ---------------------------------------------------------------------------- */

static void on_state(Radio *radio, RadioState from, RadioState to, RadioReason reason, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "%s:%s/%s|", radio_id(radio),
                               radio_state_to_string(to), radio_reason_to_string(reason));
}

static void on_identity_changed(Radio *radio, const PublicKey *from, const PublicKey *to, void *userdata) {
        g_string_append(((Fixture *) userdata)->log, "identity-changed|");
}

static void on_advert(Radio *radio, const Contact *contact, bool stored, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->log, "advert:%s/%d|", contact->name, stored);
}

static void on_full(Radio *radio, void *userdata) {
        g_string_append(((Fixture *) userdata)->log, "full|");
}

static const RadioObserver observer = {
                .state_changed = on_state,
                .identity_changed = on_identity_changed,
                .advert_heard = on_advert,
                .contacts_full = on_full,
};

/* -- completions ------------------------------------------------------------------------------ */

static void complete(Fixture *f, const Outcome *outcome) {
        ck_assert(!f->done); /* exactly once */
        f->done = true;
        outcome_clear(&f->outcome);
        f->outcome = (Outcome){outcome->code, g_strdup(outcome->message)};
        f->done_key = (PublicKey){};
        f->done_slot = -1;
        g_clear_pointer(&f->done_uri, g_free);
}

void on_done(Radio *radio, const Outcome *outcome, void *userdata) {
        complete(userdata, outcome);
}

void on_contact(Radio *radio, const Outcome *outcome, Contact *contact, void *userdata) {
        Fixture *f = userdata;

        complete(f, outcome);
        ck_assert_int_eq(contact != NULL, outcome->code == OUTCOME_OK);
        if (contact)
                f->done_key = contact->key;
}

void on_channel(Radio *radio, const Outcome *outcome, Channel *channel, void *userdata) {
        Fixture *f = userdata;

        complete(f, outcome);
        ck_assert_int_eq(channel != NULL, outcome->code == OUTCOME_OK);
        if (channel)
                f->done_slot = channel->slot;
}

void on_import(Radio *radio, const Outcome *outcome, Contact *contact, Channel *channel, void *userdata) {
        Fixture *f = userdata;

        complete(f, outcome);
        if (contact)
                f->done_key = contact->key;
        if (channel)
                f->done_slot = channel->slot;
}

void on_card(Radio *radio, const Outcome *outcome, Slice packet, const char *uri, void *userdata) {
        Fixture *f = userdata;

        complete(f, outcome);
        f->done_uri = g_strdup(uri);
}

void fixture_await(Fixture *f, OutcomeCode expected) {
        ck_assert(!f->done); /* never from inside the call */
        fixture_until(f, f->done);
        f->done = false;
        ck_assert_msg(f->outcome.code == expected, "outcome %d, not %d: %s", f->outcome.code, expected,
                      f->outcome.message ?: "");
        ck_assert_int_eq(f->outcome.message != NULL, expected != OUTCOME_OK);
}

/* -- the loop --------------------------------------------------------------------------------- */

void fixture_turn(Fixture *f) {
        int r = sd_event_run(f->event, PATIENCE_USEC);

        ck_assert_int_ge(r, 0);
        ck_assert_msg(r > 0, "nothing happens; so far: %s", f->log->str);
}

void fixture_settle(Fixture *f) {
        while (sd_event_run(f->event, SILENCE_USEC) > 0)
                ;
}

/* -- messages --------------------------------------------------------------------------------- */

static uint64_t send_to(Fixture *f, const Recipient *to, const char *text) {
        const SendOptions options = {.queue = true};
        g_auto(Outcome) outcome = {};
        uint64_t id = 0;

        ck_assert_msg(radio_send_text(f->radio, to, text, &options, &id, &outcome) == OUTCOME_OK, "%s",
                      outcome.message);
        return id;
}

uint64_t fixture_send(Fixture *f, const PublicKey *to, const char *text) {
        const Recipient recipient = {.contact = identity_get_contact(radio_identity(f->radio), to)};

        ck_assert_ptr_nonnull(recipient.contact);
        return send_to(f, &recipient, text);
}

uint64_t fixture_send_channel(Fixture *f, unsigned slot, const char *text) {
        const Recipient recipient = {.channel = identity_get_slot(radio_identity(f->radio), slot)};

        ck_assert_ptr_nonnull(recipient.channel);
        return send_to(f, &recipient, text);
}

Message *fixture_message(Fixture *f, uint64_t id) {
        Message *m = identity_get_message(radio_identity(f->radio), id);

        ck_assert_ptr_nonnull(m);
        return m;
}

MessageState fixture_state(Fixture *f, uint64_t id) {
        g_autoptr(Message) m = fixture_message(f, id);

        return m->state;
}

/* -- life ------------------------------------------------------------------------------------- */

Radio *fixture_add_radio(Fixture *f, const char *id, Peer *peer) {
        RadioSettings *settings = radio_settings_new(id);
        g_autofree char *transport = g_strdup_printf("tcp://127.0.0.1:%u", peer->port);
        const char *why;
        Radio *radio = NULL;

        ck_assert_int_eq(radio_settings_set_transport(settings, transport, &why), 0);
        settings->enabled = true;
        ck_assert_int_eq(manager_add_radio(f->manager, settings, &radio), 0);
        return radio;
}

void fixture_start_manager(Fixture *f) {
        ck_assert_int_eq(store_open(f->dir, &f->store), 0);
        ck_assert_int_eq(manager_new(f->event, f->store, &f->manager), 0);
        manager_set_observer(f->manager, &observer, f);
}

static void stop_manager(Fixture *f) {
        f->manager = manager_free(f->manager);
        f->store = store_close(f->store);
}

void fixture_restart(Fixture *f) {
        stop_manager(f);
        fixture_start_manager(f);
        f->radio = fixture_add_radio(f, "sim", f->peer);
}

void fixture_begin(Fixture *f) {
        g_autoptr(GError) error = NULL;

        radio_timing.backoff_first_usec = 5 * USEC_PER_MSEC;
        radio_timing.store_retry_usec = 20 * USEC_PER_MSEC;
        radio_timing.import_usec = 60 * USEC_PER_MSEC;
        radio_timing.sent_wait_usec = 20 * USEC_PER_MSEC;
        radio_timing.resume_wait_usec = 20 * USEC_PER_MSEC;
        radio_timing.busy_wait_usec = 5 * USEC_PER_MSEC;

        *f = (Fixture){.log = g_string_new(NULL), .done_slot = -1};
        f->dir = g_dir_make_tmp("meshcored-radio-XXXXXX", &error);
        ck_assert_ptr_nonnull(f->dir);
        ck_assert_int_ge(sd_event_new(&f->event), 0);
        fixture_start_manager(f);
}

void fixture_setup(Fixture *f, unsigned n_contacts) {
        fixture_begin(f);
        f->peer = peer_new(f->event, "Own", 10);
        for (unsigned i = 1; i <= n_contacts; i++)
                (void) peer_add_contact(f->peer, i, CONTACT_CHAT, 0, true);
        f->radio = fixture_add_radio(f, "sim", f->peer);
        fixture_until(f, radio_state(f->radio) == RADIO_READY);
        fixture_settle(f);
        peer_forget(f->peer);
        g_string_truncate(f->log, 0);
}

static void remove_tree(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);

                (void) g_unlink(file);
        }
        (void) g_rmdir(path);
}

void fixture_teardown(Fixture *f) {
        stop_manager(f);
        peer_free(f->peer);
        sd_event_unref(f->event);
        outcome_clear(&f->outcome);
        g_free(f->done_uri);
        g_string_free(f->log, TRUE);
        remove_tree(f->dir);
        g_free(f->dir);
}

int fixture_run(Suite *suite) {
        SRunner *runner = srunner_create(suite);
        int failed;

        log_set_level(g_getenv("DEBUG") ? LOG_DEBUG : LOG_EMERG);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
