/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ble-fixture.h"

#define STEP        (10 * 1000u)
#define OPENING_MAX (300 * USEC_PER_SEC)

/* -- the clock ------------------------------------------------------------------------- */

static uint64_t passed;

/* In front of the C library's, for sd-event and sd-bus, too. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret) {
        uint64_t usec;
        long r;

        r = syscall(SYS_clock_gettime, clock, ret);
        if (r < 0)
                return -1;
        if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME) {
                usec = (uint64_t) ret->tv_sec * USEC_PER_SEC + (uint64_t) ret->tv_nsec / 1000 + passed;
                ret->tv_sec = (time_t) (usec / USEC_PER_SEC);
                ret->tv_nsec = (long) (usec % USEC_PER_SEC) * 1000;
        }
        return 0;
}

uint64_t ble_now(void) {
        struct timespec now;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
        return (uint64_t) now.tv_sec * USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}

void ble_settle(BleFixture *f) {
        int r;

        do {
                r = sd_event_run(f->event, 0);
                ck_assert_int_ge(r, 0);
        } while (r > 0);
}

void ble_pass(BleFixture *f, uint64_t usec) {
        ble_settle(f);
        for (uint64_t done = 0; done < usec; done += STEP) {
                passed += MIN(STEP, usec - done);
                ble_settle(f);
        }
}

/* -- what our side tells --------------------------------------------------------------- */

static void on_opened(Link *link, void *userdata) {
        BleFixture *f = userdata;

        ck_assert_uint_eq(f->opened, 0);
        ck_assert_uint_eq(f->closed, 0);
        f->opened++;
}

static void on_frame(Link *link, const uint8_t *frame, size_t size, void *userdata) {
        BleFixture *f = userdata;

        ck_assert_uint_eq(f->opened, 1);
        ck_assert_uint_eq(f->closed, 0);
        ck_assert_uint_ge(size, 1);
        ck_assert_uint_le(size, 300);
        g_ptr_array_add(f->frames, g_bytes_new(frame, size));
}

static void on_closed(Link *link, LinkEnd end, int error, void *userdata) {
        BleFixture *f = userdata;

        ck_assert_uint_eq(f->closed, 0);
        ck_assert_int_le(error, 0);
        ck_assert_str_ne(link_why(link), "");
        ck_assert_int_eq(link_send(link, (const uint8_t *) "x", 1), -ENOTCONN);
        f->closed++;
        f->end = end;
        f->error = error;
        g_free(f->why);
        f->why = g_strdup(link_why(link));
}

const LinkHandler ble_handler = {.opened = on_opened, .frame = on_frame, .closed = on_closed};

static void on_bond(Bond *bond, void *userdata) {
        BleFixture *f = userdata;

        g_string_append_printf(f->states, "%s ", bond_state_to_string(bond_state(bond)));
}

static int source(void *userdata, uint32_t *ret) {
        const BleFixture *f = userdata;

        if (!f->has_pin)
                return -ENOENT;
        *ret = f->pin;
        return 0;
}

/* -- life ------------------------------------------------------------------------------------ */

BleFixture *ble_fixture_new(void) {
        BleFixture *f = g_new(BleFixture, 1);

        *f = (BleFixture){.frames = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref),
                          .states = g_string_new(NULL),
                          .has_pin = true,
                          .pin = 123456};
        ck_assert_int_ge(sd_event_new(&f->event), 0);
        f->fake = fake_bluez_new(f->event);
        f->hci0 = fake_adapter_add(f->fake, "hci0", "00:AA:01:00:00:42");
        f->hut = fake_radio_add(f->hci0, HUT_ADDRESS, "MeshCore-Hut");
        f->bond = bond_new();
        bond_set_observer(f->bond, on_bond, f);
        bond_set_source(f->bond, source, f);
        ck_assert_int_ge(bluez_new(f->event, f->fake->address, &f->bluez), 0);
        return f;
}

BleFixture *ble_fixture_free(BleFixture *f) {
        f->link = link_close(f->link);
        ble_settle(f);
        bluez_unref(f->bluez);
        bond_free(f->bond);
        fake_bluez_free(f->fake);
        g_ptr_array_unref(f->frames);
        g_string_free(f->states, true);
        g_free(f->why);
        sd_event_unref(f->event);
        g_free(f);
        return NULL;
}

void ble_ready(BleFixture *f) {
        ck_assert_int_ge(bluez_refresh(f->bluez, false), 0);
        ble_settle(f);
        ck_assert(bluez_is_ready(f->bluez));
}

const char *ble_story(BleFixture *f) {
        static GString *story;

        if (!story)
                story = g_string_new(NULL);
        g_string_assign(story, f->states->str);
        for (guint i = 0; i < f->fake->log->len; i++)
                g_string_append_printf(story, "| %s ", (const char *) f->fake->log->pdata[i]);
        return story->str;
}

void ble_open_link(BleFixture *f, const char *target) {
        f->link = link_close(f->link);
        f->opened = f->closed = 0;
        g_ptr_array_set_size(f->frames, 0);
        ck_assert_int_ge(link_new_ble(f->bluez, f->bond, target, &f->options, &ble_handler, f, &f->link), 0);
        ck_assert_int_ge(link_open(f->link), 0);
        ble_run_until(f, OPENING_MAX, f->opened > 0 || f->closed > 0);
}

void ble_expect_open(BleFixture *f) {
        ck_assert_msg(f->opened == 1 && f->closed == 0, "%s: %s", f->why, ble_story(f));
        ck_assert_str_eq(link_ble_address(f->link), HUT_ADDRESS);
}

void ble_expect_bond(BleFixture *f, BondState state, BondReason reason) {
        ck_assert_str_eq(bond_state_to_string(bond_state(f->bond)), bond_state_to_string(state));
        ck_assert_str_eq(bond_reason_to_string(bond_reason(f->bond)), bond_reason_to_string(reason));
}

void ble_expect_end(BleFixture *f, LinkEnd end, BondState state, BondReason reason) {
        ck_assert_msg(f->closed == 1, "has not ended");
        ck_assert_msg(f->end == end, "%s: %s", link_end_to_string(f->end), f->why);
        ble_expect_bond(f, state, reason);
}
