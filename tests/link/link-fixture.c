/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <string.h>

#include "link-fixture.h"
#include "macros.h"

#define PATIENCE (4 * USEC_PER_SEC)

static void maybe_close(Fixture *f, CloseIn where) {
        if (f->close_in == where)
                f->link = link_close(f->link);
}

static void on_opened(Link *link, void *userdata) {
        Fixture *f = userdata;

        ck_assert(!f->calling);
        ck_assert_ptr_eq(link, f->link);
        ck_assert_uint_eq(f->opened, 0);
        ck_assert_uint_eq(f->closed, 0);
        f->opened++;
        maybe_close(f, CLOSE_IN_OPENED);
}

static void on_frame(Link *link, const uint8_t *frame, size_t size, void *userdata) {
        Fixture *f = userdata;

        ck_assert(!f->calling);
        ck_assert_ptr_eq(link, f->link);
        ck_assert_uint_eq(f->opened, 1);
        ck_assert_uint_eq(f->closed, 0);
        ck_assert_uint_ge(size, 1);
        ck_assert_uint_le(size, 300);
        g_ptr_array_add(f->frames, g_bytes_new(frame, size));
        maybe_close(f, CLOSE_IN_FRAME);
}

static void on_closed(Link *link, LinkEnd end, int error, void *userdata) {
        Fixture *f = userdata;

        ck_assert(!f->calling);
        ck_assert_ptr_eq(link, f->link);
        ck_assert_uint_eq(f->closed, 0);
        ck_assert_int_le(error, 0);
        ck_assert_ptr_nonnull(link_end_to_string(end));
        f->closed++;
        f->end = end;
        f->error = error;
        f->why = g_strdup(link_why(link));
        ck_assert_str_ne(f->why, "");
        ck_assert_int_eq(link_send(link, (const uint8_t *) "x", 1), -ENOTCONN);
        maybe_close(f, CLOSE_IN_CLOSED);
}

const LinkHandler fixture_handler = {
                .opened = on_opened,
                .frame = on_frame,
                .closed = on_closed,
};

void fixture_init(Fixture *f) {
        *f = (Fixture){.frames = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref)};
        ck_assert_int_ge(sd_event_new(&f->event), 0);
}

void fixture_done(Fixture *f) {
        f->link = link_close(f->link);
        /* Whatever a closed link left behind would run now. */
        fixture_settle(f);
        g_ptr_array_unref(f->frames);
        g_free(f->why);
        sd_event_unref(f->event);
}

int fixture_open(Fixture *f) {
        int r;

        f->calling = true;
        r = link_open(f->link);
        f->calling = false;
        return r;
}

int fixture_send(Fixture *f, const void *frame, size_t size) {
        int r;

        f->calling = true;
        r = link_send(f->link, frame, size);
        f->calling = false;
        return r;
}

void fixture_turn(Fixture *f) {
        int r = sd_event_run(f->event, PATIENCE);

        ck_assert_msg(r > 0, "nothing happened any more (%i)", r);
}

void fixture_settle(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

void assert_frame(Fixture *f, guint index, const void *frame, size_t size) {
        gsize have;
        const void *data;

        ck_assert_uint_lt(index, f->frames->len);
        data = g_bytes_get_data(f->frames->pdata[index], &have);
        ck_assert_uint_eq(have, size);
        ck_assert_mem_eq(data, frame, size);
}

void assert_ended(Fixture *f, LinkEnd end, int error) {
        ck_assert_uint_eq(f->closed, 1);
        ck_assert_str_eq(link_end_to_string(f->end), link_end_to_string(end));
        ck_assert_int_eq(f->error, error);
}
