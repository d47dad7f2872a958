/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Settings that stand alone: one value, one command. */

#include <math.h>
#include <string.h>

#include "setting-internal.h"

/* -- name ------------------------------------------------------------------------- */

static const RequestKind name_kind = {
                .what = "cannot set the name",
                .start = setting_start,
                .done = setting_done,
};

void radio_set_name(Radio *radio, const char *name, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        s->read_back = READ_SELF;
        if (!g_utf8_validate(name, -1, NULL))
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "the name is not valid UTF-8");
        else if (command_set_advert_name(&s->command, name) < 0)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "the name has %zu bytes: it takes 1 to %d bytes of UTF-8", strlen(name),
                                   RADIO_NAME_MAX);
        setting_submit(radio, s, &name_kind, &outcome);
}

/* -- location ----------------------------------------------------------------------- */

static const RequestKind location_kind = {
                .what = "cannot set the location",
                .start = setting_start,
                .done = setting_done,
};

void radio_set_location(Radio *radio, double latitude, double longitude, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        s->read_back = READ_SELF;
        /* Written so that what is no number fails, too. */
        if (!(fabs(latitude) <= 90) || !(fabs(longitude) <= 180))
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "a latitude is from -90 to 90 degrees, a longitude from -180 to 180");
        else
                (void) command_set_advert_latlon(&s->command, setting_round(latitude * 1e6),
                                                 setting_round(longitude * 1e6), NULL);
        setting_submit(radio, s, &location_kind, &outcome);
}

/* -- transmit power ------------------------------------------------------------------- */

#define SIGNED_POWER_LEVEL 10

typedef struct PowerSetting {
        Setting setting;
        int dbm;
} PowerSetting;

/* The most is known only once the radio told it. */
static void power_start(Request *request, const Frame *frame) {
        PowerSetting *p = (PowerSetting *) request;
        const RadioInfo *info = &request->radio->info;
        int least = info->level >= SIGNED_POWER_LEVEL ? TX_POWER_MIN : 0;

        if (p->dbm < least || command_set_radio_tx_power(&p->setting.command, p->dbm, info->max_tx_power) < 0)
                request_fail(request, OUTCOME_INVALID_ARGUMENTS, "this radio transmits with %d to %d dBm",
                             least, info->max_tx_power);
        else
                setting_write(&p->setting);
}

static const RequestKind power_kind = {
                .what = "cannot set the transmit power",
                .start = power_start,
                .done = setting_done,
};

void radio_set_tx_power(Radio *radio, int dbm, radio_done_t done, void *userdata) {
        PowerSetting *p = setting_new(sizeof(PowerSetting), done, userdata);

        p->dbm = dbm;
        p->setting.read_back = READ_SELF;
        request_submit(radio, &p->setting.request, &power_kind);
}

/* -- path hashes ------------------------------------------------------------------------ */

static const RequestKind path_hash_kind = {
                .what = "cannot set the size of path hashes",
                .start = setting_start,
                .done = setting_done,
};

void radio_set_path_hash_size(Radio *radio, unsigned size, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        s->read_back = READ_DEVICE;
        s->level = 10;
        s->release = "1.14";
        if (size < 1 || size > 3)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS, "a hash has 1 to 3 bytes");
        else
                (void) command_set_path_hash_mode(&s->command, (uint8_t) (size - 1));
        setting_submit(radio, s, &path_hash_kind, &outcome);
}

/* -- PIN ---------------------------------------------------------------------------------- */

static const RequestKind pin_kind = {
                .what = "cannot set the PIN",
                .start = setting_start,
                .done = setting_done,
};

void radio_set_device_pin(Radio *radio, uint32_t pin, radio_done_t done, void *userdata) {
        Setting *s = setting_new(sizeof(Setting), done, userdata);
        g_auto(Outcome) outcome = {};

        s->level = 3;
        s->release = "1.4";
        if (command_set_device_pin(&s->command, pin) < 0)
                (void) outcome_set(&outcome, OUTCOME_INVALID_ARGUMENTS,
                                   "a PIN is from %d to %d, or 0 for the one of the build", PIN_MIN, PIN_MAX);
        setting_submit(radio, s, &pin_kind, &outcome);
}
