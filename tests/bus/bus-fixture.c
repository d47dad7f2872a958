/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bus-fixture.h"
#include "clock.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES     "org.freedesktop.DBus.Properties"

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Fixture *f = userdata;
        uint8_t type;

        if (sd_bus_message_get_type(m, &type) >= 0 && type == SD_BUS_MESSAGE_SIGNAL)
                g_ptr_array_add(f->signals, sd_bus_message_ref(m));
        return 0;
}

static void connect_pair(Fixture *f) {
        sd_id128_t id;
        int fds[2];

        ck_assert_int_ge(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
        ck_assert_int_ge(sd_id128_randomize(&id), 0);

        ck_assert_int_ge(sd_bus_new(&f->server), 0);
        ck_assert_int_ge(sd_bus_set_fd(f->server, fds[0], fds[0]), 0);
        ck_assert_int_ge(sd_bus_set_server(f->server, true, id), 0);
        ck_assert_int_ge(sd_bus_start(f->server), 0);

        ck_assert_int_ge(sd_bus_new(&f->client), 0);
        ck_assert_int_ge(sd_bus_set_fd(f->client, fds[1], fds[1]), 0);
        ck_assert_int_ge(sd_bus_start(f->client), 0);
        ck_assert_int_ge(sd_bus_attach_event(f->client, f->event, SD_EVENT_PRIORITY_NORMAL), 0);
        ck_assert_int_ge(sd_bus_add_filter(f->client, NULL, on_message, f), 0);
}

static void message_unref(void *m) {
        sd_bus_message_unref(m);
}

Fixture *fixture_new(void) {
        Fixture *f = g_new0(Fixture, 1);
        PublicKey key = test_key(1);

        /* Hundreds of commits, and it is not the disk that is tested. */
        f->dir = g_build_filename(access("/dev/shm", W_OK) >= 0 ? "/dev/shm" : g_get_tmp_dir(),
                                  "meshcored-bus-XXXXXX", NULL);
        ck_assert_ptr_nonnull(g_mkdtemp(f->dir));
        f->signals = g_ptr_array_new_with_free_func(message_unref);
        ck_assert_int_ge(sd_event_new(&f->event), 0);
        ck_assert_int_ge(store_open(f->dir, &f->store), 0);
        ck_assert_int_ge(manager_new(f->event, f->store, &f->manager), 0);

        f->radio = fake_radio_add(f->manager, "sim", &key);
        f->bus = bus_new_detached(f->event, f->manager, BUS_SESSION);
        fixture_reconnect(f);
        return f;
}

void fixture_reconnect(Fixture *f) {
        sd_bus_close_unref(f->server);
        sd_bus_close_unref(f->client);
        connect_pair(f);
        ck_assert_int_ge(bus_attach(f->bus, f->server), 0);
        bus_claimed(f->bus);
        fixture_run(f);
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

Fixture *fixture_free(Fixture *f) {
        if (!f)
                return NULL;

        bus_free(f->bus);
        manager_free(f->manager);
        store_close(f->store);
        sd_bus_close_unref(f->server);
        g_ptr_array_unref(f->signals);
        sd_bus_close_unref(f->client);
        sd_event_unref(f->event);
        remove_directory(f->dir);
        g_free(f->dir);
        g_free(f);
        return NULL;
}

Identity *fixture_identity(Fixture *f) {
        return radio_identity(f->radio);
}

void fixture_run(Fixture *f) {
        int r;

        do {
                r = sd_event_run(f->event, 0);
                ck_assert_int_ge(r, 0);
        } while (r > 0);
}

void fixture_clear_signals(Fixture *f) {
        fixture_run(f);
        g_ptr_array_set_size(f->signals, 0);
}

/* -- calls ------------------------------------------------------------------ */

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        sd_bus_message **ret = userdata;

        *ret = sd_bus_message_ref(reply);
        return 0;
}

void fixture_call_async(Fixture *f, sd_bus_message *call, sd_bus_message **ret_reply) {
        *ret_reply = NULL;
        ck_assert_int_ge(sd_bus_call_async(f->client, NULL, call, on_reply, ret_reply, 0), 0);
        sd_bus_message_unref(call);
        fixture_run(f);
}

sd_bus_message *fixture_new_call(Fixture *f, const char *path, const char *interface, const char *member) {
        sd_bus_message *call;

        ck_assert_int_ge(sd_bus_message_new_method_call(f->client, &call, NULL, path, interface, member), 0);
        return call;
}

sd_bus_message *fixture_call(Fixture *f, const char *path, const char *interface, const char *member,
                             const char *types, ...) {
        sd_bus_message *call = fixture_new_call(f, path, interface, member), *reply;
        va_list ap;

        va_start(ap, types);
        if (types)
                ck_assert_int_ge(sd_bus_message_appendv(call, types, ap), 0);
        va_end(ap);

        fixture_call_async(f, call, &reply);
        ck_assert_ptr_nonnull(reply);
        return reply;
}

const char *reply_error(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (!error)
                return "";
        return g_str_has_prefix(error->name, "org.meshcored1.Error.")
                               ? error->name + strlen("org.meshcored1.Error.")
                               : error->name;
}

sd_bus_message *fixture_get(Fixture *f, const char *path, const char *interface, const char *property,
                            const char *type) {
        sd_bus_message *reply = fixture_call(f, path, PROPERTIES, "Get", "ss", interface, property);

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', type), 0);
        return reply;
}

char *fixture_get_string(Fixture *f, const char *path, const char *interface, const char *property) {
        g_autoptr(sd_bus_message) reply = fixture_call(f, path, PROPERTIES, "Get", "ss", interface, property);
        const char *type, *value;

        assert_reply_ok(reply);
        ck_assert_int_gt(sd_bus_message_peek_type(reply, NULL, &type), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', type), 0);
        ck_assert_int_gt(sd_bus_message_read_basic(reply, type[0], &value), 0);
        return g_strdup(value);
}

uint64_t fixture_get_number(Fixture *f, const char *path, const char *interface, const char *property,
                            const char *type) {
        g_autoptr(sd_bus_message) reply = fixture_get(f, path, interface, property, type);
        union {
                uint8_t y;
                uint16_t q;
                uint32_t u;
                uint64_t t;
        } value;

        ck_assert_int_gt(sd_bus_message_read_basic(reply, type[0], &value), 0);
        switch (type[0]) {
        case 'y':
                return value.y;
        case 'q':
                return value.q;
        case 't':
        case 'x':
                return value.t;
        default:
                return value.u;
        }
}

bool enter_key(sd_bus_message *m, const char *key, const char *type) {
        const char *name;

        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read_basic(m, 's', &name), 0);
                if (strcmp(name, key) == 0) {
                        ck_assert_int_gt(sd_bus_message_enter_container(m, 'v', type), 0);
                        return true;
                }
                ck_assert_int_ge(sd_bus_message_skip(m, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        }
        return false;
}

/* -- signals ---------------------------------------------------------------- */

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static char *describe_properties(sd_bus_message *m) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *joined = NULL;
        const char *interface, *name;

        ck_assert_int_gt(sd_bus_message_read(m, "s", &interface), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read_basic(m, 's', &name), 0);
                g_ptr_array_add(names, (char *) name);
                ck_assert_int_ge(sd_bus_message_skip(m, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
        }
        g_ptr_array_sort(names, compare_strings);
        g_ptr_array_add(names, NULL);
        joined = g_strjoinv(",", (char **) names->pdata);
        return g_strdup_printf("%s %s", interface + strlen("org.meshcored1."), joined);
}

static char *describe_interfaces(sd_bus_message *m, bool added) {
        const char *path, *name;
        g_autoptr(GString) text = NULL;

        ck_assert_int_gt(sd_bus_message_read(m, "o", &path), 0);
        text = g_string_new(path);
        ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', added ? "{sa{sv}}" : "s"), 0);
        while ((added ? sd_bus_message_enter_container(m, 'e', "sa{sv}") : 1) > 0) {
                if (sd_bus_message_read_basic(m, 's', &name) <= 0)
                        break;
                if (g_str_has_prefix(name, "org.meshcored1."))
                        g_string_append_printf(text, " %s", name + strlen("org.meshcored1."));
                if (added) {
                        ck_assert_int_ge(sd_bus_message_skip(m, "a{sv}"), 0);
                        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
                }
        }
        return g_strdup(text->str);
}

static char *describe(sd_bus_message *m) {
        const char *member = sd_bus_message_get_member(m);
        const char *interface = sd_bus_message_get_interface(m);
        g_autofree char *detail = NULL;

        ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);
        if (strcmp(interface, PROPERTIES) == 0)
                detail = describe_properties(m);
        else if (strcmp(interface, OBJECT_MANAGER) == 0) {
                detail = describe_interfaces(m, strcmp(member, "InterfacesAdded") == 0);
                ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);
                return g_strdup_printf("%s %s", member, detail);
        }
        ck_assert_int_ge(sd_bus_message_rewind(m, true), 0);

        return g_strdup_printf("%s %s%s%s", member, sd_bus_message_get_path(m), detail ? " " : "",
                               detail ?: "");
}

GPtrArray *fixture_signals(Fixture *f) {
        GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

        fixture_run(f);
        for (guint i = 0; i < f->signals->len; i++)
                g_ptr_array_add(texts, describe(f->signals->pdata[i]));
        return texts;
}

bool fixture_has_signal(Fixture *f, const char *text) {
        g_autoptr(GPtrArray) texts = fixture_signals(f);

        for (guint i = 0; i < texts->len; i++)
                if (strcmp(texts->pdata[i], text) == 0)
                        return true;
        return false;
}

unsigned fixture_count_signals(Fixture *f, const char *text) {
        g_autoptr(GPtrArray) texts = fixture_signals(f);
        unsigned n = 0;

        for (guint i = 0; i < texts->len; i++)
                n += g_str_has_prefix(texts->pdata[i], text);
        return n;
}

/* -- the mesh ----------------------------------------------------------------- */

PublicKey test_key(uint8_t first) {
        PublicKey key;

        for (size_t i = 0; i < sizeof(key.bytes); i++)
                key.bytes[i] = (uint8_t) (first + i);
        return key;
}

Contact *test_contact(uint8_t first, const char *name) {
        PublicKey key = test_key(first);
        Contact *contact = contact_new(&key);

        g_free(contact->name);
        contact->name = g_strdup(name);
        contact->type = CONTACT_CHAT;
        contact->on_radio = true;
        contact->last_advert = 1700000000;
        return contact;
}

void fixture_add_contact(Fixture *f, uint8_t first, const char *name) {
        g_autoptr(Contact) contact = test_contact(first, name);

        ck_assert_int_ge(identity_put_contact(fixture_identity(f), contact), 0);
}

void fixture_add_channel(Fixture *f, unsigned slot, const char *name, uint8_t secret) {
        uint8_t bytes[CHANNEL_SECRET_SIZE];

        memset(bytes, secret, sizeof(bytes));
        ck_assert_int_ge(identity_set_slot(fixture_identity(f), slot, name, bytes, CHANNEL_PRIVATE), 0);
}

static uint64_t receive(Fixture *f, Message *message, const char *text) {
        static uint32_t sender_clock = 1700000000;
        ReceiveResult result;

        message->kind = MESSAGE_TEXT;
        message->state = MESSAGE_RECEIVED;
        message->sender_timestamp = sender_clock++;
        message->timestamp_usec = clock_realtime_usec();
        message->has_snr = true;
        message->snr_x4 = -13;
        message->path_len = 2;
        g_free(message->text);
        message->text = g_strdup(text);

        ck_assert_int_ge(identity_receive(fixture_identity(f), message, &result), 0);
        ck_assert_int_eq(result, RECEIVE_NEW);
        return message->id;
}

uint64_t fixture_receive(Fixture *f, uint8_t from, const char *text) {
        g_autoptr(Message) message = message_new();
        PublicKey key = test_key(from ?: 0xEE);

        message->has_peer = true;
        memcpy(message->peer_prefix, key.bytes, sizeof(message->peer_prefix));
        if (from) {
                message->has_peer_key = true;
                message->peer = key;
        }
        return receive(f, message, text);
}

uint64_t fixture_receive_channel(Fixture *f, unsigned slot, const char *author, const char *text) {
        g_autoptr(Message) message = message_new();

        message->channel = identity_get_slot(fixture_identity(f), slot)->id;
        g_free(message->author);
        message->author = g_strdup(author);
        return receive(f, message, text);
}
