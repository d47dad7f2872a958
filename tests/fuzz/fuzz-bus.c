/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What clients may say to the daemon, through its own vtables. The first byte is the kind of bus, and what
 * ends first; then follow steps: calls with arguments right and wrong, and what happens around them. Methods
 * and properties come from the vtables, the keys of options from the tables that the handlers read them
 * with. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake-discover.h"
#include "fuzz-bus.h"
#include "fuzz.h"
#include "log.h"
#include "macros.h"

#define STEPS_MAX 48

/* -- what there is to call ---------------------------------------------------------- */

typedef struct Member {
        const char *interface, *name, *signature, *result;
        const char *const *paths; /* where it is */
        GArray *options;          /* FuzzOption */
} Member;

#define RADIO  "/org/meshcored1/radio/sim"
#define TAG    "/org/meshcored1/radio/tag"
#define KEY(n) RADIO "/contact/" n

#define KEY_2 "02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"
#define KEY_6 "060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425"
#define KEY_9 "090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728"

static const char *const root_paths[] = {"/org/meshcored1", NULL};
static const char *const log_paths[] = {BUS_LOG_PATH, NULL};
static const char *const radio_paths[] = {RADIO, TAG, NULL};
static const char *const tag_paths[] = {TAG, RADIO, NULL};
static const char *const contact_paths[] = {KEY(KEY_2), KEY(KEY_6), KEY(KEY_9), NULL};
static const char *const channel_paths[] = {RADIO "/channel/0", RADIO "/channel/3", RADIO "/channel/255",
                                            NULL};
static const char *const message_paths[] = {RADIO "/message/1",
                                            RADIO "/message/2",
                                            RADIO "/message/3",
                                            RADIO "/message/4",
                                            RADIO "/message/18446744073709551615",
                                            NULL};
static const char *const request_paths[] = {"/org/meshcored1/request/1", "/org/meshcored1/request/0_t",
                                            "/org/meshcored1/request/2", NULL};
static const char *const all_paths[] = {
                "/org/meshcored1",
                RADIO,
                TAG,
                KEY(KEY_2),
                KEY(KEY_6),
                KEY(KEY_9),
                RADIO "/channel/0",
                RADIO "/channel/3",
                RADIO "/channel/00",
                RADIO "/channel/256",
                RADIO "/message/1",
                RADIO "/message/2",
                RADIO "/message/3",
                RADIO "/message/0",
                RADIO "/message/01",
                "/org/meshcored1/request/1",
                "/org/meshcored1/request",
                BUS_LOG_PATH,
                "/",
                RADIO "/contact",
                RADIO "/contact/02",
                RADIO "/message",
                "/agent",
                "/org/meshcored1/radio/_73im",
                "/org/meshcored1/radio/none",
                "",
                "no/path",
                "/a//b",
                "/ü",
                "/a/",
                NULL,
};

/* Beside names of interfaces, members and keys. */
static const char *const plain_texts[] = {
                "",
                "Hill",
                "Ann",
                "#test",
                "Public",
                KEY_2,
                KEY_6,
                "0203040506070809",
                "02",
                "hello",
                "older",
                "newer",
                "newest",
                "strongest",
                "queued",
                "sent",
                "delivered",
                "received",
                "failed",
                "text",
                "command",
                "post",
                "data",
                "raw",
                "chat",
                "repeater",
                "room",
                "sensor",
                "hashtag",
                "public",
                "random",
                "contact-flags",
                "allow",
                "deny",
                "core",
                "radio",
                "packets",
                "card",
                "uri",
                "serial",
                "tcp",
                "ble",
                "debug",
                "err",
                "console",
                "auto",
                "t",
                "a-token",
                "123456",
                "C0:00:00:00:22:01",
                "meshcore://contact/add?name=x&public_key=" KEY_6 "&type=2",
                "meshcore://channel/add?name=%23x&secret=00112233445566778899aabbccddeeff",
                "\xff\xfe",
                "\xed\xa0\x80",
                "\xef\xbf\xbf",
                "a\x1b[2J\n",
                "\xe2\x80\xae"
                "evil",
                NULL,
};

static GArray *members;      /* Member */
static GPtrArray *all_texts; /* plain_texts, and all names */
static Member *learning;     /* whose options are looked for */

static void add_member(const char *interface, const char *name, const char *signature, const char *result,
                       const char *const *paths) {
        const Member member = {interface, name,  signature,
                               result,    paths, g_array_new(true, true, sizeof(FuzzOption))};

        g_array_append_val(members, member);
        g_ptr_array_add(all_texts, (void *) name);
}

static void add_vtable(const char *interface, const sd_bus_vtable *vtable, const char *const *paths) {
        g_ptr_array_add(all_texts, (void *) interface);
        for (; vtable->type != _SD_BUS_VTABLE_END; vtable++)
                if (vtable->type == _SD_BUS_VTABLE_METHOD)
                        add_member(interface, vtable->x.method.member, vtable->x.method.signature ?: "",
                                   vtable->x.method.result ?: "", paths);
                else if (vtable->type == _SD_BUS_VTABLE_PROPERTY ||
                         vtable->type == _SD_BUS_VTABLE_WRITABLE_PROPERTY)
                        g_ptr_array_add(all_texts, (void *) vtable->x.property.member);
}

static void add_members(void) {
        static const char properties[] = "org.freedesktop.DBus.Properties";

        for (size_t i = 0; plain_texts[i]; i++)
                g_ptr_array_add(all_texts, (void *) plain_texts[i]);

        add_vtable(BUS_MANAGER, bus_manager_vtable, root_paths);
        add_vtable(BUS_RADIO, bus_radio_vtable, radio_paths);
        add_vtable(BUS_RADIO, bus_radio_settings_vtable, radio_paths);
        add_vtable(BUS_RADIO, bus_radio_tools_vtable, radio_paths);
        add_vtable(BUS_PAIRING, bus_pairing_vtable, tag_paths);
        add_vtable(BUS_CONTACTS, bus_contacts_vtable, radio_paths);
        add_vtable(BUS_CONTACT, bus_contact_vtable, contact_paths);
        add_vtable(BUS_NODE, bus_node_vtable, contact_paths);
        add_vtable(BUS_CHANNELS, bus_channels_vtable, radio_paths);
        add_vtable(BUS_CHANNEL, bus_channel_vtable, channel_paths);
        add_vtable(BUS_MESSAGES, bus_messages_vtable, radio_paths);
        add_vtable(BUS_MESSAGE, bus_message_vtable, message_paths);
        add_vtable(BUS_MONITOR, bus_monitor_vtable, radio_paths);
        add_vtable(BUS_MONITOR, bus_mesh_vtable, radio_paths);
        add_vtable(BUS_LOG, bus_log_vtable, log_paths);
        add_member(BUS_REQUEST, "Cancel", "", "", request_paths);
        g_ptr_array_add(all_texts, (void *) BUS_REQUEST);

        add_member(properties, "Get", "ss", "v", all_paths);
        add_member(properties, "GetAll", "s", "a{sv}", all_paths);
        add_member(properties, "Set", "ssv", "", log_paths);
        add_member("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", "a{oa{sa{sv}}}",
                   root_paths);
        add_member("org.freedesktop.DBus.Introspectable", "Introspect", "", "s", all_paths);
        g_ptr_array_add(all_texts, NULL);
}

int __real_bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error);
int __wrap_bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error);
int __wrap_sd_bus_query_sender_privilege(sd_bus_message *call, int capability);
int __wrap_sd_bus_query_sender_creds(sd_bus_message *call, uint64_t mask, sd_bus_creds **ret);

int __wrap_bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error) {
        for (size_t i = 0; learning && i < n; i++) {
                const FuzzOption option = {g_strdup(options[i].key), g_strdup(options[i].types)};

                g_array_append_val(learning->options, option);
        }
        return __real_bus_read_options(m, options, n, error);
}

/* These ask the message bus, and wait for it. */
int __wrap_sd_bus_query_sender_privilege(sd_bus_message *call, int capability) {
        return 0;
}

int __wrap_sd_bus_query_sender_creds(sd_bus_message *call, uint64_t mask, sd_bus_creds **ret) {
        return -ENXIO;
}

/* -- steps ---------------------------------------------------------------------------- */

static void step_call(World *w, FuzzInput *in) {
        static const char *const wrong[] = {"", "s", "a{sv}", "u", "sa{sv}", "v", "ay", "aas"};
        const Member *member = &g_array_index(members, Member, fuzz_choice(in, members->len));
        const unsigned sender = fuzz_choice(in, 1 + FUZZ_SENDERS), where = fuzz_byte(in), how = fuzz_byte(in);
        const FuzzWords words = {(const char *const *) all_texts->pdata, all_paths,
                                 &g_array_index(member->options, FuzzOption, 0)};
        g_autoptr(GByteArray) body = g_byte_array_new();
        FuzzHeader header = {
                        .interface = member->interface,
                        .member = member->name,
                        .signature = member->signature,
                        .flags = (how & 0x80 ? FUZZ_NO_REPLY : 0) | (how & 0x40 ? FUZZ_INTERACT : 0),
        };
        const char *const *paths = where < 224 ? member->paths : all_paths;
        const char *result = member->result;

        header.path = paths[where % g_strv_length((char **) paths)];
        if ((how & 0x3f) > 60)
                header.signature = wrong[fuzz_choice(in, ELEMENTSOF(wrong))];
        fuzz_body_append(body, in, header.signature, &words);
        if ((how & 0x3f) == 60)
                g_byte_array_set_size(body, body->len / 2);
        /* sd-bus takes none of these for a message. */
        if (!g_variant_is_object_path(header.path) || (body->len == 0) != (header.signature[0] == 0))
                result = NULL;
        world_call(w, &header, sender, body, result);
}

static void step_backup(World *w, FuzzInput *in) {
        g_autofree char *path = g_build_filename(w->dir, "copy", NULL);
        static const int flags[] = {O_RDWR | O_CREAT, O_RDONLY | O_CREAT, O_PATH};
        sd_bus_message *call;
        int fd = open(fuzz_byte(in) & 1 ? "/dev/null" : path, flags[fuzz_choice(in, 3)] | O_CLOEXEC, 0600);

        if (fd < 0)
                return;
        FUZZ_ASSERT(sd_bus_message_new_method_call(w->peer, &call, NULL, "/org/meshcored1", BUS_MANAGER,
                                                   "Backup") >= 0);
        FUZZ_ASSERT(sd_bus_message_append(call, "h", fd) >= 0 &&
                    sd_bus_message_set_sender(call, ":1.1") >= 0);
        FUZZ_ASSERT(sd_bus_message_set_expect_reply(call, false) >= 0 &&
                    sd_bus_send(w->peer, call, NULL) >= 0);
        sd_bus_message_unref(call);
        (void) close(fd);
        world_run(w);
}

/* polkit, or a pairing agent. */
static void step_reply(World *w, FuzzInput *in) {
        static const char *const signatures[] = {"(bba{ss})", "u", "", "s", "(bb)", "bba{ss}", "v"};
        static const char *const errors[] = {
                        "org.freedesktop.DBus.Error.ServiceUnknown",
                        "org.meshcored1.Error.Cancelled",
                        "org.freedesktop.DBus.Error.NoReply",
                        "a.b",
        };
        const FuzzWords words = {plain_texts, all_paths, NULL};
        g_autoptr(sd_bus_message) question = g_queue_pop_head(&w->questions);
        g_autoptr(GByteArray) body = g_byte_array_new();
        const unsigned how = fuzz_byte(in);
        FuzzHeader reply = {.type = SD_BUS_MESSAGE_METHOD_RETURN, .sender = ":1.9"};
        uint64_t serial;

        if (!question)
                return;
        FUZZ_ASSERT(sd_bus_message_get_cookie(question, &serial) >= 0);
        reply.reply_serial = (uint32_t) serial;
        if (how >= 192) {
                reply.type = SD_BUS_MESSAGE_METHOD_ERROR;
                reply.error = errors[how % ELEMENTSOF(errors)];
                reply.signature = how & 8 ? "s" : NULL;
        } else
                reply.signature = signatures[how % ELEMENTSOF(signatures)];
        if (reply.signature)
                fuzz_body_append(body, in, reply.signature, &words);
        world_send(w, &reply, body);
        world_run(w);
}

static void step_radio(World *w, FuzzInput *in) {
        static const RadioReason reasons[] = {REASON_NONE, REASON_LOST, REASON_INHIBITED};
        Radio *radio = fuzz_byte(in) & 1 ? w->ble : w->radio;
        const unsigned what = fuzz_byte(in);
        PublicKey key = world_key(fuzz_byte(in));

        switch (what % 8) {
        case 0:
                fake_radio_set_identity(radio, what & 64 ? &key : NULL);
                break;
        case 1:
                fake_radio_enter_state(radio, (RadioState) (fuzz_byte(in) % _RADIO_STATE_MAX),
                                       reasons[fuzz_choice(in, ELEMENTSOF(reasons))]);
                break;
        case 2:
                fake_radio_notify(radio, (RadioChange) fuzz_number(in, 4));
                break;
        case 3:
                fake_radio_tell_unknown(radio, fuzz_byte(in), "unknown", 7);
                fake_radio_hear_data(radio, what & 64, "data", 4);
                break;
        case 4:
                fake_radio_tell_full(radio);
                if (what & 64) {
                        g_autoptr(NodeAnswer) answer = node_answer_new(NODE_OPERATION_TRACE, true);

                        fake_radio_hear_trace(radio, answer);
                }
                fake_radio_tell_node(radio, &key, fuzz_byte(in));
                break;
        case 5:
                if (fake_radio_is_watched(radio, what & 64))
                        fake_radio_tell_record(radio, what & 64, "{\"TimeUSec\":17");
                break;
        case 6:
                if (fake_radio_n_node_requests(radio) > 0)
                        fake_radio_run_node_request(radio);
                break;
        default:
                fake_radio_set_bond(w->ble, what & 64 ? "bonded" : "stale", "none", what);
        }
        world_run(w);
}

static void step_mesh(World *w, FuzzInput *in) {
        const unsigned what = fuzz_byte(in), n = fuzz_choice(in, 12);
        PublicKey key = world_key(n);
        Identity *identity = radio_identity(w->radio);

        switch (what % 8) {
        case 0:
                world_add_contact(w, n, what / 8 % 5, what & 64 ? "Hill" : "Bob");
                break;
        case 1:
                world_add_channel(w, w->radio, n, what & 64 ? "#test" : "");
                break;
        case 2:
                world_receive(w, n, what & 64 ? 0 : 9, "received");
                break;
        case 3:
                if (identity)
                        (void) identity_remove_contact(identity, &key);
                break;
        case 4:
                if (identity && identity_set_slot(identity, n, "", NULL, CHANNEL_PRIVATE) < 0)
                        abort();
                break;
        case 5:
                world_hear(w, n, what & 64);
                break;
        case 6:
                if (radio_pending(w->radio))
                        (void) pending_remove(radio_pending(w->radio), &key);
                break;
        default: {
                g_autoptr(Message) message = identity ? identity_get_message(identity, n) : NULL;

                if (message && message->state != MESSAGE_RECEIVED)
                        fake_radio_move_message(w->radio, n, (MessageState) (what / 8 % MESSAGE_RECEIVED),
                                                what & 64 ? "why" : NULL);
        }
        }
        world_run(w);
}

static void step(World *w, FuzzInput *in) {
        const unsigned what = fuzz_byte(in), detail = what / 16;

        switch (what % 16) {
        case 8:
        case 9:
                (void) world_answer(w, detail, (OutcomeCode) fuzz_choice(in, _OUTCOME_CODE_MAX), in);
                world_run(w);
                break;
        case 10:
                step_reply(w, in);
                break;
        case 11:
                step_radio(w, in);
                break;
        case 12:
                step_mesh(w, in);
                break;
        case 13:
                if (detail < 8)
                        (void) fake_pin_ask(w->ble, "stale");
                else
                        fake_pin_cancel(w->ble);
                world_run(w);
                break;
        case 14:
                world_vanish(w, detail % (1 + FUZZ_SENDERS));
                break;
        case 15:
                if (detail < 2)
                        world_reconnect(w);
                else if (detail < 6)
                        step_backup(w, in);
                else {
                        /* the descriptors are closed */
                        while (!g_queue_is_empty(&w->replies))
                                sd_bus_message_unref(g_queue_pop_head(&w->replies));
                        world_run(w);
                }
                break;
        default:
                step_call(w, in);
        }
}

static World *populated(BusKind kind) {
        World *w = world_new(kind);

        world_add_contact(w, 2, CONTACT_REPEATER, "Hill");
        world_add_contact(w, 6, CONTACT_CHAT, "Ann");
        world_add_channel(w, w->radio, 0, "#test");
        world_receive(w, 6, 9, "one");
        world_receive(w, 2, 0, "two");
        world_run(w);
        return w;
}

/* One plain call of everything tells the options. */
static void learn(void) {
        const FuzzWords words = {plain_texts, all_paths, NULL};

        members = g_array_new(false, false, sizeof(Member));
        all_texts = g_ptr_array_new();
        add_members();
        for (guint i = 0; i < members->len; i++) {
                World *w = populated(BUS_SESSION);
                g_autoptr(GByteArray) body = g_byte_array_new();
                Member *member = &g_array_index(members, Member, i);
                FuzzHeader header = {
                                .interface = member->interface,
                                .member = member->name,
                                .signature = member->signature,
                                .path = member->paths[0],
                };

                learning = member;
                fuzz_body_append(body, &(FuzzInput){}, member->signature, &words);
                world_call(w, &header, 1, body, NULL);
                learning = NULL;
                world_free(w, true);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzInput in = {data, size};
        unsigned kind;
        World *w;

        if (!members)
                learn();
        kind = fuzz_byte(&in);
        w = populated(kind & 1 ? BUS_SYSTEM : BUS_SESSION);
        for (unsigned i = 0; i < STEPS_MAX && in.size > 0; i++)
                step(w, &in);
        world_free(w, kind & 2);
        log_set_level(LOG_EMERG);
        log_setup(LOG_TARGET_TERMINAL);
        return 0;
}
