/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bond.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "macros.h"

#define PASSKEY_DIGITS   6
#define DROPS_STALE      2
#define LEAVE_ALONE_USEC (10 * USEC_PER_MINUTE)

struct Bond {
        BondState state;
        BondReason reason;
        uint64_t last_verified; /* CLOCK_REALTIME */
        uint64_t found;         /* CLOCK_BOOTTIME of the last stale, needs-pin or cancelled; 0: none */
        unsigned n_drops;
        bool has_offer, has_rejected;
        uint32_t offer, rejected;
        bond_passkey_t source;
        void *source_userdata;
        bond_changed_t changed;
        void *userdata;
};

static const char *const state_names[_BOND_STATE_MAX] = {
                [BOND_NONE] = "none",           [BOND_PAIRING] = "pairing",
                [BOND_BONDED] = "bonded",       [BOND_VERIFIED] = "verified",
                [BOND_STALE] = "stale",         [BOND_UNREACHABLE] = "unreachable",
                [BOND_NEEDS_PIN] = "needs-pin",
};

static const char *const reason_names[_BOND_REASON_MAX] = {
                [BOND_REASON_NONE] = "none",
                [BOND_REASON_AUTHENTICATION] = "authentication",
                [BOND_REASON_ENCRYPTION] = "encryption",
                [BOND_REASON_KEY_MISSING] = "key-missing",
                [BOND_REASON_REJECTED] = "rejected",
                [BOND_REASON_NO_PIN] = "no-pin",
                [BOND_REASON_NOT_FOUND] = "not-found",
                [BOND_REASON_UNREACHABLE] = "unreachable",
                [BOND_REASON_LINK_LOST] = "link-lost",
                [BOND_REASON_TIMEOUT] = "timeout",
                [BOND_REASON_CANCELLED] = "cancelled",
                [BOND_REASON_ADAPTER] = "adapter",
                [BOND_REASON_STACK] = "stack",
};

const char *bond_state_to_string(BondState state) {
        return state >= 0 && state < _BOND_STATE_MAX ? state_names[state] : NULL;
}

const char *bond_reason_to_string(BondReason reason) {
        return reason >= 0 && reason < _BOND_REASON_MAX ? reason_names[reason] : NULL;
}

/* -- PIN from text --------------------------------------------------------------- */

int passkey_parse(const char *text, uint32_t *ret) {
        uint32_t passkey = 0;

        if (strnlen(text, PASSKEY_DIGITS + 1) != PASSKEY_DIGITS)
                return -EINVAL;

        for (const char *p = text; *p; p++) {
                if (!g_ascii_isdigit(*p))
                        return -EINVAL;
                passkey = passkey * 10 + (uint32_t) (*p - '0');
        }

        *ret = passkey;
        return 0;
}

int passkey_read_file(const char *path, uint32_t *ret) {
        _cleanup_close_ int fd = -EBADF;
        char text[PASSKEY_DIGITS + 3] = {}; /* with CR and LF, and one byte that is too much */
        struct stat st;
        ssize_t n;
        int r;

        /* Somebody may have put a FIFO there. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_mode & S_IRWXO)
                return -EPERM;

        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;

        text[strcspn(text, "\r\n")] = '\0';
        r = passkey_parse(text, ret);
        explicit_bzero(text, sizeof(text));
        return r;
}

/* -- state ------------------------------------------------------------------------- */

Bond *bond_new(void) {
        return g_new0(Bond, 1);
}

Bond *bond_free(Bond *bond) {
        if (!bond)
                return NULL;

        explicit_bzero(bond, sizeof(*bond));
        g_free(bond);
        return NULL;
}

void bond_set_observer(Bond *bond, bond_changed_t changed, void *userdata) {
        bond->changed = changed;
        bond->userdata = userdata;
}

void bond_set_source(Bond *bond, bond_passkey_t source, void *userdata) {
        bond->source = source;
        bond->source_userdata = userdata;
}

BondState bond_state(const Bond *bond) {
        return bond->state;
}

BondReason bond_reason(const Bond *bond) {
        return bond->reason;
}

uint64_t bond_last_verified(const Bond *bond) {
        return bond->last_verified;
}

static void notify(Bond *bond) {
        if (bond->changed)
                bond->changed(bond, bond->userdata);
}

void bond_set(Bond *bond, BondState state, BondReason reason) {
        if (state == BOND_STALE || state == BOND_NEEDS_PIN || reason == BOND_REASON_CANCELLED)
                bond->found = clock_boottime_usec();
        if (bond->state == state && bond->reason == reason)
                return;

        bond->state = state;
        bond->reason = reason;
        notify(bond);
}

void bond_set_verified(Bond *bond) {
        bond->state = BOND_VERIFIED;
        bond->reason = BOND_REASON_NONE;
        bond->last_verified = clock_realtime_usec();
        bond->n_drops = 0;
        notify(bond);
}

/* -- PIN ----------------------------------------------------------------------------- */

void bond_offer_passkey(Bond *bond, uint32_t passkey) {
        bond->offer = passkey;
        bond->has_offer = true;
}

void bond_withdraw_passkey(Bond *bond) {
        explicit_bzero(&bond->offer, sizeof(bond->offer));
        bond->has_offer = false;
}

int bond_get_passkey(Bond *bond, uint32_t *ret) {
        uint32_t passkey = 0;
        int r;

        if (bond->has_offer) {
                *ret = bond->offer;
                return 0;
        }
        if (!bond->source)
                return -ENOENT;

        r = bond->source(bond->source_userdata, &passkey);
        if (r >= 0 && bond->has_rejected && bond->rejected == passkey)
                r = -EACCES;
        if (r >= 0)
                *ret = passkey;
        explicit_bzero(&passkey, sizeof(passkey));
        return r;
}

bool bond_has_passkey(Bond *bond) {
        uint32_t passkey = 0;
        int r;

        r = bond_get_passkey(bond, &passkey);
        explicit_bzero(&passkey, sizeof(passkey));
        return r >= 0;
}

/* Whether the source still gives this one. */
static bool is_of_source(Bond *bond, uint32_t passkey) {
        uint32_t own = 0;
        bool same;

        same = bond->source && bond->source(bond->source_userdata, &own) >= 0 && own == passkey;
        explicit_bzero(&own, sizeof(own));
        return same;
}

void bond_passkey_rejected(Bond *bond, uint32_t passkey) {
        /* A caller's is gone with that. Another one of the source may have been rejected before, and is not
         * tried again for it. */
        if (bond->has_offer && bond->offer == passkey) {
                bond_withdraw_passkey(bond);
                if (!is_of_source(bond, passkey))
                        return;
        }
        bond->has_rejected = true;
        bond->rejected = passkey;
}

void bond_passkey_accepted(Bond *bond) {
        bond_withdraw_passkey(bond);
        explicit_bzero(&bond->rejected, sizeof(bond->rejected));
        bond->has_rejected = false;
}

/* -- evidence -------------------------------------------------------------------------- */

bool bond_count_drop(Bond *bond) {
        return ++bond->n_drops >= DROPS_STALE;
}

bool bond_has_drops(const Bond *bond) {
        return bond->n_drops > 0;
}

void bond_forget_drops(Bond *bond) {
        bond->n_drops = 0;
}

static bool is_left_alone(const Bond *bond) {
        return !bond->has_offer && bond->found > 0 && clock_boottime_usec() - bond->found < LEAVE_ALONE_USEC;
}

bool bond_is_waiting(const Bond *bond) {
        return (bond->state == BOND_STALE || bond->state == BOND_NEEDS_PIN) && is_left_alone(bond);
}

bool bond_is_cancelled(const Bond *bond) {
        return bond->reason == BOND_REASON_CANCELLED && is_left_alone(bond);
}

void bond_go_on(Bond *bond) {
        bond->found = 0;
}
