/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "fake-discover.h"
#include "fake-radio-internal.h"
#include "fuzz-bus.h"
#include "fuzz.h"
#include "log.h"

#define QUESTIONS_MAX 32
#define BUS_DRIVER    "org.freedesktop.DBus"

/* -- what comes from the daemon --------------------------------------------------- */

static void reply_to(World *w, sd_bus_message *m, const char *text) {
        g_autoptr(GByteArray) body = g_byte_array_new();
        const FuzzWords words = {.texts = (const char *const[]){text ?: "", NULL}};
        FuzzHeader reply = {.type = SD_BUS_MESSAGE_METHOD_RETURN, .signature = text ? "s" : NULL};
        uint64_t serial;

        FUZZ_ASSERT(sd_bus_message_get_cookie(m, &serial) >= 0);
        reply.reply_serial = (uint32_t) serial;
        reply.sender = BUS_DRIVER;
        if (text)
                fuzz_body_append(body, &(FuzzInput){}, "s", &words);
        world_send(w, &reply, body);
}

/* As a message bus does; what is asked of others waits for the input. */
static void take_call(World *w, sd_bus_message *m) {
        const char *name = NULL;

        if (g_strcmp0(sd_bus_message_get_destination(m), BUS_DRIVER) != 0) {
                if (sd_bus_message_get_expect_reply(m) > 0 && w->questions.length < QUESTIONS_MAX)
                        g_queue_push_tail(&w->questions, sd_bus_message_ref(m));
        } else if (strcmp(sd_bus_message_get_member(m), "Hello") == 0)
                reply_to(w, m, ":1.0");
        else if (strcmp(sd_bus_message_get_member(m), "GetNameOwner") == 0 &&
                 sd_bus_message_read(m, "s", &name) > 0)
                reply_to(w, m, name);
        else
                reply_to(w, m, NULL);
}

typedef struct Call {
        const char *result; /* NULL: whatever comes, if anything */
        unsigned sender;
} Call;

/* Each call is answered once, with what it promises. */
static void take_reply(World *w, sd_bus_message *m) {
        const char *signature = sd_bus_message_get_signature(m, true);
        g_autofree Call *call = NULL;
        uint64_t serial;

        FUZZ_ASSERT(sd_bus_message_get_reply_cookie(m, &serial) >= 0);
        FUZZ_ASSERT(g_hash_table_steal_extended(w->calls, GUINT_TO_POINTER((unsigned) serial), NULL,
                                                (void **) &call));
        if (sd_bus_message_is_method_error(m, NULL))
                FUZZ_ASSERT(sd_bus_message_get_error(m)->name && sd_bus_message_get_error(m)->message);
        else
                FUZZ_ASSERT(!call->result || strcmp(signature, call->result) == 0);
        if (strchr(signature, 'h'))
                g_queue_push_tail(&w->replies, sd_bus_message_ref(m));
}

static void take(World *w, sd_bus_message *m) {
        const char *signature = sd_bus_message_get_signature(m, true);
        uint8_t type;

        FUZZ_ASSERT(sd_bus_message_get_type(m, &type) >= 0);
        if (type == SD_BUS_MESSAGE_METHOD_CALL)
                take_call(w, m);
        else if (type != SD_BUS_MESSAGE_SIGNAL)
                take_reply(w, m);

        /* All of it can be read: valid text, valid paths. */
        FUZZ_ASSERT(sd_bus_message_rewind(m, true) >= 0);
        FUZZ_ASSERT(!*signature || sd_bus_message_skip(m, signature) >= 0);
}

static bool run_peer(World *w) {
        sd_bus_message *m = NULL;
        int r = sd_bus_process(w->peer, &m);

        if (m) {
                take(w, m);
                sd_bus_message_unref(m);
        }
        return r > 0;
}

void world_run(World *w) {
        bool more;

        do {
                int r = sd_event_run(w->event, 0);

                FUZZ_ASSERT(r >= 0);
                more = r > 0;
                while (run_peer(w))
                        more = true;
        } while (more);
}

/* -- what goes to the daemon -------------------------------------------------------- */

const char *world_sender(unsigned sender) {
        static const char *const names[] = {NULL, ":1.1", ":1.2", ":1.3"};

        return names[sender];
}

void world_send(World *w, FuzzHeader *header, const GByteArray *body) {
        g_autoptr(GByteArray) raw = NULL;

        header->serial = ++w->serial;
        raw = fuzz_message_new(header, body->data, body->len);
        FUZZ_ASSERT(send(sd_bus_get_fd(w->peer), raw->data, raw->len, MSG_NOSIGNAL) == (ssize_t) raw->len);
}

void world_call(World *w, FuzzHeader *header, unsigned sender, const GByteArray *body, const char *result) {
        header->type = SD_BUS_MESSAGE_METHOD_CALL;
        header->sender = world_sender(sender);
        header->destination = BUS_NAME;
        if (!(header->flags & FUZZ_NO_REPLY)) {
                const Call call = {result, sender};

                g_hash_table_insert(w->calls, GUINT_TO_POINTER(w->serial + 1),
                                    g_memdup2(&call, sizeof(call)));
        }
        world_send(w, header, body);
        world_run(w);
}

/* -- who is there ------------------------------------------------------------------------ */

/* sd-bus asks the message bus for the owner of a name that is to be tracked, and waits for the answer. */

int __wrap_sd_bus_track_new(sd_bus *bus, sd_bus_track **ret, sd_bus_track_handler_t handler, void *userdata);
int __wrap_sd_bus_track_add_sender(sd_bus_track *track, sd_bus_message *m);
sd_bus_track *__wrap_sd_bus_track_unref(sd_bus_track *track);

struct sd_bus_track {
        GList link;
        unsigned n_ref;
        char *sender;
        sd_bus_track_handler_t handler;
        void *userdata;
};

static GQueue tracks;

int __wrap_sd_bus_track_new(sd_bus *bus, sd_bus_track **ret, sd_bus_track_handler_t handler, void *userdata) {
        sd_bus_track *track = g_new(sd_bus_track, 1);

        *track = (sd_bus_track){
                        .link = {.data = track}, .n_ref = 1, .handler = handler, .userdata = userdata};
        g_queue_push_tail_link(&tracks, &track->link);
        *ret = track;
        return 0;
}

int __wrap_sd_bus_track_add_sender(sd_bus_track *track, sd_bus_message *m) {
        FUZZ_ASSERT(!track->sender);
        track->sender = g_strdup(sd_bus_message_get_sender(m));
        return track->sender ? 1 : -EINVAL;
}

sd_bus_track *__wrap_sd_bus_track_unref(sd_bus_track *track) {
        if (track && --track->n_ref == 0) {
                g_queue_unlink(&tracks, &track->link);
                g_free(track->sender);
                g_free(track);
        }
        return NULL;
}

static bool tell_one(const char *sender) {
        for (GList *l = tracks.head; l; l = l->next) {
                sd_bus_track *track = l->data;

                if (g_strcmp0(track->sender, sender) != 0)
                        continue;
                g_clear_pointer(&track->sender, g_free);
                track->n_ref++;
                FUZZ_ASSERT(track->handler(track, track->userdata) >= 0);
                __wrap_sd_bus_track_unref(track);
                return true;
        }
        return false;
}

void world_vanish(World *w, unsigned sender) {
        if (!world_sender(sender))
                return;
        w->gone[sender] = true;
        while (tell_one(world_sender(sender)))
                ;
        world_run(w);
}

/* -- the connection ------------------------------------------------------------------- */

static void free_message(void *m) {
        sd_bus_message_unref(m);
}

static void connect_bus(World *w) {
        const sd_id128_t id = SD_ID128_MAKE(6d, 65, 73, 68, 63, 6f, 72, 65, 64, 2d, 66, 75, 7a, 7a, 65, 64);
        int fds[2], size = 1 << 20;

        FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                (void) setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));

        FUZZ_ASSERT(sd_bus_new(&w->peer) >= 0 && sd_bus_set_fd(w->peer, fds[0], fds[0]) >= 0);
        FUZZ_ASSERT(sd_bus_set_server(w->peer, true, id) >= 0);
        FUZZ_ASSERT(sd_bus_negotiate_fds(w->peer, true) >= 0 && sd_bus_start(w->peer) >= 0);

        FUZZ_ASSERT(sd_bus_new(&w->ours) >= 0 && sd_bus_set_fd(w->ours, fds[1], fds[1]) >= 0);
        FUZZ_ASSERT(sd_bus_set_bus_client(w->ours, true) >= 0 && sd_bus_negotiate_fds(w->ours, true) >= 0);
        /* sd-bus would ask the message bus who calls, and wait for it. */
        FUZZ_ASSERT(sd_bus_set_trusted(w->ours, true) >= 0 && sd_bus_start(w->ours) >= 0);

        FUZZ_ASSERT(bus_attach(w->bus, w->ours) >= 0);
        world_run(w);
        FUZZ_ASSERT(sd_bus_is_ready(w->ours) > 0);
        bus_claimed(w->bus);
        world_run(w);

        for (unsigned i = 1; i <= FUZZ_SENDERS; i++)
                g_hash_table_insert(w->bus->uids, g_strdup(world_sender(i)),
                                    GUINT_TO_POINTER(i == 1 ? getuid() : getuid() + i));
        memset(w->gone, 0, sizeof(w->gone));
}

static void disconnect(World *w) {
        sd_bus_close_unref(w->ours);
        sd_bus_close_unref(w->peer);
        g_queue_clear_full(&w->questions, free_message);
        g_queue_clear_full(&w->replies, free_message);
}

void world_reconnect(World *w) {
        bus_detach(w->bus);
        disconnect(w);
        g_hash_table_remove_all(w->calls);
        connect_bus(w);
}

/* -- the mesh -------------------------------------------------------------------------- */

PublicKey world_key(unsigned n) {
        PublicKey key;

        for (size_t i = 0; i < sizeof(key.bytes); i++)
                key.bytes[i] = (uint8_t) (n + i);
        return key;
}

static Contact *make_contact(unsigned n, unsigned type, const char *name) {
        PublicKey key = world_key(n);
        Contact *contact = contact_new(&key);

        g_free(contact->name);
        contact->name = g_strdup(name);
        contact->type = (uint8_t) type;
        contact->on_radio = n % 2 == 0;
        contact->path_len = n % 3 == 0 ? 0x42 : CONTACT_PATH_UNKNOWN;
        return contact;
}

void world_hear(World *w, unsigned n, bool stored) {
        g_autoptr(Contact) contact = make_contact(n, n % 5, "Heard");

        fake_radio_hear_advert(w->radio, contact, stored);
        if (radio_pending(w->radio) && !stored)
                pending_put(radio_pending(w->radio), contact);
}

void world_add_contact(World *w, unsigned n, unsigned type, const char *name) {
        g_autoptr(Contact) contact = make_contact(n, type, name);

        if (!radio_identity(w->radio))
                return;
        FUZZ_ASSERT(identity_put_contact(radio_identity(w->radio), contact) >= 0);
}

void world_add_channel(World *w, Radio *radio, unsigned slot, const char *name) {
        uint8_t secret[CHANNEL_SECRET_SIZE];

        memset(secret, (int) slot + 1, sizeof(secret));
        if (radio_identity(radio))
                FUZZ_ASSERT(identity_set_slot(radio_identity(radio), slot, name, secret, CHANNEL_PRIVATE) >=
                            0);
}

void world_receive(World *w, unsigned from, unsigned slot, const char *text) {
        g_autoptr(Message) message = message_new();
        Identity *identity = radio_identity(w->radio);
        ReceiveResult result;

        if (!identity)
                return;
        message->kind = MESSAGE_TEXT;
        message->state = MESSAGE_RECEIVED;
        message->sender_timestamp = from;
        message->timestamp_usec = clock_realtime_usec();
        message->has_snr = from % 2 == 0;
        g_free(message->text);
        message->text = g_strdup(text);
        if (identity_get_slot(identity, slot))
                message->channel = identity_get_slot(identity, slot)->id;
        else {
                message->has_peer = true;
                message->has_peer_key = from % 3 > 0;
                message->peer = world_key(from);
                memcpy(message->peer_prefix, message->peer.bytes, sizeof(message->peer_prefix));
        }
        FUZZ_ASSERT(identity_receive(identity, message, &result) >= 0);
}

static bool is_list(NodeOperation operation) {
        return operation == NODE_OPERATION_TELEMETRY || operation == NODE_OPERATION_MIN_MAX_AVG ||
               operation == NODE_OPERATION_ACCESS_LIST || operation == NODE_OPERATION_NEIGHBOURS ||
               operation == NODE_OPERATION_TRACE || operation == NODE_OPERATION_DISCOVER;
}

/* The values that their operations must have, and some of what nodes make up. */
static void answer_node(World *w, OutcomeCode code, FuzzInput *in) {
        const NodeOperation operation = fake_radio_node_query(w->radio)->operation;
        g_autoptr(NodeAnswer) answer = node_answer_new(operation, is_list(operation));
        NodeRecord *record = answer->list ? node_answer_add(answer) : answer->record;
        const uint8_t *data;
        size_t n;

        data = fuzz_bytes(in, fuzz_byte(in), &n);
        node_record_add_text(record, "Text", data, n);
        node_record_add_bytes(record, "Data", NODE_VALUE_BYTES, data, n);
        node_record_add_bytes(record, "Key", NODE_VALUE_KEY, data, n);
        node_record_add_double(record, "Snr", (double) n);
        node_record_add_usec(record, "UptimeUSec", UINT64_MAX);
        for (size_t i = 0; i < n % 8; i++)
                answer->out[answer->n_out++] = (PathHop){.size = 1 + (uint8_t) (i % CONTACT_PATH_HASH_MAX)};

        if (fake_radio_node_cancelled(w->radio))
                code = OUTCOME_CANCELLED;
        fake_radio_answer_node(w->radio, code, code == OUTCOME_OK ? answer : NULL);
}

/* A radio that says yes has done it. */
static OutcomeCode do_request(World *w, Radio *radio, OutcomeCode code) {
        const FakeRequest *request = g_queue_peek_head(&radio->requests);
        g_autoptr(Contact) contact = NULL;

        if (code == OUTCOME_OK && !radio->identity)
                return OUTCOME_NOT_CONNECTED;
        if (code != OUTCOME_OK || (!request->contact_done && !request->channel_done && !request->import_done))
                return code;
        if (request->slot >= IDENTITY_SLOTS_MAX)
                return OUTCOME_INVALID_ARGUMENTS;
        if (request->slot >= 0)
                world_add_channel(w, radio, (unsigned) request->slot, "new");
        else if (!identity_get_contact(radio->identity, &request->key)) {
                contact = contact_new(&request->key);
                FUZZ_ASSERT(identity_put_contact(radio->identity, contact) >= 0);
        }
        return code;
}

static void answer_request(World *w, Radio *radio, OutcomeCode code, FuzzInput *in) {
        const uint8_t *data;
        size_t n;

        code = do_request(w, radio, code);
        if (code != OUTCOME_OK) {
                fake_radio_answer(radio, code);
                return;
        }
        data = fuzz_bytes(in, fuzz_choice(in, 65), &n);
        fake_radio_answer_card(radio, data, n, "meshcore://1122");
}

/* A device with a name that somebody made up. */
static void answer_discovery(OutcomeCode code, FuzzInput *in) {
        g_autoptr(GPtrArray) all = g_ptr_array_new();
        const unsigned how = fuzz_byte(in);
        size_t n;
        const uint8_t *name = fuzz_bytes(in, fuzz_choice(in, 40), &n);
        g_autofree char *text = g_strndup((const char *) name, n);
        Found found = {
                        .transport = how & 1 ? TRANSPORT_BLE : TRANSPORT_SERIAL,
                        .address = (char *) "C0:00:00:00:22:01",
                        .device = (char *) (how & 1 ? NULL : "/dev/ttyACM0"),
                        .name = text,
                        .adapter = (char *) (how & 1 ? "hci0" : NULL),
                        .bonded = how & 2,
                        .has_rssi = how & 4,
                        .rssi = -how,
                        .has_key = how & 8,
        };

        g_ptr_array_add(all, &found);
        fake_discovery_answer(code, all);
}

bool world_answer(World *w, unsigned which, OutcomeCode code, FuzzInput *in) {
        Radio *radio = which & 1 ? w->ble : w->radio;

        if (fake_radio_bond_request(radio))
                fake_radio_answer_bond(radio, code, which & 2);
        else if (fake_radio_n_pings(radio) > 0)
                fake_radio_answer_ping(radio, code, 12345);
        else if (fake_radio_n_requests(radio) > 0)
                answer_request(w, radio, code, in);
        else if (fake_discovery())
                answer_discovery(code, in);
        else if (fake_forget())
                fake_forget_answer(code);
        else if (fake_radio_n_node_requests(w->radio) > 0)
                answer_node(w, code, in);
        else
                return false;
        return true;
}

/* -- life -------------------------------------------------------------------------------- */

/* Making the tables takes longer than all the rest: once is enough. */
static void open_store(World *w) {
        static char *fresh;
        static gsize size;
        g_autofree char *path = g_build_filename(w->dir, "store.db", NULL);

        if (fresh)
                FUZZ_ASSERT(g_file_set_contents(path, fresh, (gssize) size, NULL));
        FUZZ_ASSERT(store_open(w->dir, &w->store) >= 0);
        if (fresh)
                return;
        store_close(w->store);
        FUZZ_ASSERT(g_file_get_contents(path, &fresh, &size, NULL));
        open_store(w);
}

World *world_new(BusKind kind) {
        World *w = g_new0(World, 1);
        PublicKey key = world_key(1);

        log_set_level(LOG_EMERG);
        w->dir = g_build_filename(access("/dev/shm", W_OK) >= 0 ? "/dev/shm" : g_get_tmp_dir(),
                                  "fuzz-bus-XXXXXX", NULL);
        FUZZ_ASSERT(g_mkdtemp(w->dir));
        w->calls = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        FUZZ_ASSERT(sd_event_new(&w->event) >= 0);
        open_store(w);
        FUZZ_ASSERT(manager_new(w->event, w->store, &w->manager) >= 0);
        w->radio = fake_radio_add(w->manager, "sim", &key);
        w->ble = fake_radio_add_ble(w->manager, "tag");
        w->bus = bus_new_detached(w->event, w->manager, kind);
        connect_bus(w);
        return w;
}

static void finish_requests(World *w) {
        while (world_answer(w, 0, OUTCOME_CANCELLED, &(FuzzInput){}) ||
               world_answer(w, 1, OUTCOME_CANCELLED, &(FuzzInput){}))
                ;
}

static void remove_directory(const char *path) {
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);

                (void) g_unlink(file);
        }
        if (dir)
                g_dir_close(dir);
        (void) g_rmdir(path);
}

void world_free(World *w, bool radios_first) {
        GHashTableIter iter;
        void *call;

        if (radios_first) {
                finish_requests(w);
                world_run(w);
        }
        w->bus = bus_free(w->bus);
        finish_requests(w);
        while (run_peer(w))
                ;
        g_hash_table_iter_init(&iter, w->calls);
        while (g_hash_table_iter_next(&iter, NULL, &call))
                FUZZ_ASSERT(!((Call *) call)->result || w->gone[((Call *) call)->sender]);

        FUZZ_ASSERT(tracks.length == 0);

        manager_free(w->manager);
        store_close(w->store);
        disconnect(w);
        g_hash_table_unref(w->calls);
        sd_event_unref(w->event);
        remove_directory(w->dir);
        g_free(w->dir);
        g_free(w);
}
