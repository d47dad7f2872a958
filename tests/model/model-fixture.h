/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A state directory that goes away with the test, messages to put in, and an
 * observer that writes down what it is told. */

#include <check.h>
#include <sqlite3.h>

#include "identity.h"
#include "store.h"

extern const PublicKey own_key;

typedef struct Fixture {
        char *dir;
        Store *store;
        Identity *identity;
        GString *log; /* "+contact Ann|…", in order */
} Fixture;

void fixture_setup(Fixture *f);
void fixture_teardown(Fixture *f);
void fixture_open(Fixture *f);
void fixture_close(Fixture *f);
void fixture_reopen(Fixture *f);
/* What was told since the last call. */
char *fixture_told(Fixture *f);
#define assert_told(f, expected)                          \
        do {                                              \
                g_autofree char *_told = fixture_told(f); \
                ck_assert_str_eq(_told, expected);        \
        } while (false)

/* An SQL statement beside the store; its first value, or 0. */
int64_t fixture_sql(Fixture *f, const char *sql);
char *fixture_path(Fixture *f, const char *name);
/* How many names in the directory begin with this. */
unsigned fixture_count_files(Fixture *f, const char *prefix);
/* How many databases were set aside. */
unsigned fixture_count_damaged(Fixture *f);

/* A key whose bytes are all n, but for the last. */
PublicKey key_of(uint8_t n, uint8_t last);
Contact *contact_of(uint8_t n, const char *name);
Message *text_from(const PublicKey *peer, const char *text, uint32_t timestamp);
Message *text_to_channel(uint64_t channel, const char *author, const char *text, uint32_t timestamp);
uint64_t receive(Fixture *f, Message *message, ReceiveResult expected); /* takes it */
uint64_t receive_text(Fixture *f, const PublicKey *peer, const char *text, uint32_t timestamp);

/* Everything that the identity knows and stores, as text: two of them are equal
 * exactly if nothing differs. */
char *fixture_dump(Identity *identity);

/* Runs it, and ends the program with its failures. */
int fixture_run(Suite *suite);
