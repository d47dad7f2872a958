/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* bluetoothd and radios played, our side of it, and a clock that only goes on when nothing happens any more:
 * a minute takes some milliseconds, and a test never waits for what could be late. */

#include "fake-bluez.h"
#include "link.h"
#include "macros.h"

#define HUT_ADDRESS "C0:00:00:00:22:01"
#define HUT         "/org/bluez/hci0/dev_C0_00_00_00_22_01"
#define HUT_TX      HUT "/service0010/char0013"

typedef struct BleFixture {
        sd_event *event;
        FakeBluez *fake;
        FakeAdapter *hci0;
        FakeRadio *hut; /* "MeshCore-Hut" */
        Bluez *bluez;
        Bond *bond;
        Link *link;
        BleOptions options;
        unsigned opened, closed;
        GPtrArray *frames; /* GBytes */
        LinkEnd end;
        int error;
        char *why;
        GString *states; /* of the bond, each with a blank behind */
        bool has_pin;
        uint32_t pin;
} BleFixture;

extern const LinkHandler ble_handler;

/* The bond's source has the right PIN. */
BleFixture *ble_fixture_new(void);
BleFixture *ble_fixture_free(BleFixture *f);

/* Until nothing happens without the clock going on. */
void ble_settle(BleFixture *f);
/* Lets time go by. */
void ble_pass(BleFixture *f, uint64_t usec);
uint64_t ble_now(void);
/* For a failed test: the states of the bond, and every call so far. */
const char *ble_story(BleFixture *f);
#define ble_run_until(f, limit, condition)                                                               \
        do {                                                                                             \
                uint64_t until_ = ble_now() + (limit);                                                   \
                ble_settle(f);                                                                           \
                while (!(condition) && ble_now() < until_)                                               \
                        ble_pass(f, 10 * 1000);                                                          \
                ck_assert_msg(condition, "not within %u s: %s: %s", (unsigned) ((limit) / USEC_PER_SEC), \
                              #condition, ble_story(f));                                                 \
        } while (false)

/* Until bluetoothd's objects are there. */
void ble_ready(BleFixture *f);
/* A new link to this target, and until it is open or has ended. */
void ble_open_link(BleFixture *f, const char *target);
void ble_expect_open(BleFixture *f);
/* The end of the link, and the state of the bond. */
void ble_expect_end(BleFixture *f, LinkEnd end, BondState state, BondReason reason);
void ble_expect_bond(BleFixture *f, BondState state, BondReason reason);
