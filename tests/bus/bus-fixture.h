/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The bus room on one end of a socketpair, a client on the other, both on one
 * event loop, over a store in a temporary directory. No bus daemon: there are no sender
 * names. */

#include "bus-internal.h"
#include "fake-radio.h"

#define RADIO_PATH "/org/meshcored1/radio/sim"

typedef struct Fixture {
        char *dir;
        sd_event *event;
        Store *store;
        Manager *manager;
        Radio *radio; /* "sim", with the identity of test_key(1) */
        Bus *bus;
        sd_bus *server, *client;
        GPtrArray *signals; /* sd_bus_message that the client has seen */
} Fixture;

Fixture *fixture_new(void);
Fixture *fixture_free(Fixture *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

/* Another socketpair, after bus_detach(). */
void fixture_reconnect(Fixture *f);

Identity *fixture_identity(Fixture *f);

/* Until nothing happens any more. */
void fixture_run(Fixture *f);
void fixture_clear_signals(Fixture *f);

/* Calls and waits for the reply, which may be an error. */
sd_bus_message *fixture_call(Fixture *f, const char *path, const char *interface, const char *member,
                             const char *types, ...);
/* Sends the call; the reply is in *ret_reply once it is there. */
void fixture_call_async(Fixture *f, sd_bus_message *call, sd_bus_message **ret_reply);
sd_bus_message *fixture_new_call(Fixture *f, const char *path, const char *interface, const char *member);

/* The name of the error without org.meshcored1.Error., or "" for a success. */
const char *reply_error(sd_bus_message *reply);
#define assert_reply_ok(reply)          ck_assert_str_eq(reply_error(reply), "")
#define assert_reply_error(reply, name) ck_assert_str_eq(reply_error(reply), name)

/* One property, positioned at its value. */
sd_bus_message *fixture_get(Fixture *f, const char *path, const char *interface, const char *property,
                            const char *type);
char *fixture_get_string(Fixture *f, const char *path, const char *interface, const char *property);
uint64_t fixture_get_number(Fixture *f, const char *path, const char *interface, const char *property,
                            const char *type);

/* What the client has seen since, as "Member path" or "Member path detail":
 * for ObjectManager the object and the number of our interfaces, for PropertiesChanged the
 * interface and the names, sorted. */
GPtrArray *fixture_signals(Fixture *f);
bool fixture_has_signal(Fixture *f, const char *text);
/* How many begin with text. */
unsigned fixture_count_signals(Fixture *f, const char *text);

/* Steps over, to the value of, key in an a{sv} at which m stands. */
bool enter_key(sd_bus_message *m, const char *key, const char *type);

PublicKey test_key(uint8_t first);
Contact *test_contact(uint8_t first, const char *name);
/* Puts a contact called name. */
void fixture_add_contact(Fixture *f, uint8_t first, const char *name);
void fixture_add_channel(Fixture *f, unsigned slot, const char *name, uint8_t secret);
/* Receives a text from the contact (the number of test_key(), or 0 for a stranger). */
uint64_t fixture_receive(Fixture *f, uint8_t from, const char *text);
uint64_t fixture_receive_channel(Fixture *f, unsigned slot, const char *author, const char *text);
