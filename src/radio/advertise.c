/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"
#include "macros.h"
#include "setting-internal.h"

typedef struct AdvertSetting {
        Setting setting;
        bool flood;
} AdvertSetting;

static void advert_start(Request *request, const Frame *frame) {
        AdvertSetting *a = (AdvertSetting *) request;
        Radio *radio = request->radio;
        uint64_t now = clock_boottime_usec();
        uint64_t next = radio->flood_advert_usec + radio_timing.flood_advert_usec;

        if (a->flood && radio->flood_advert_usec > 0 && now < next) {
                request_fail(request, OUTCOME_RATE_LIMITED,
                             "a flood costs air time everywhere; the next one may go in %" PRIu64 " s",
                             (next - now + USEC_PER_SEC - 1) / USEC_PER_SEC);
                return;
        }

        setting_write(&a->setting);
}

static void advert_done(Request *request, const Outcome *outcome) {
        AdvertSetting *a = (AdvertSetting *) request;

        /* After a timeout or a lost link it may well have gone out. */
        if (a->flood && (outcome->code == OUTCOME_OK || outcome->code == OUTCOME_TIMEOUT ||
                         outcome->code == OUTCOME_LINK_LOST))
                request->radio->flood_advert_usec = clock_boottime_usec();
        setting_done(request, outcome);
}

static const RequestKind advert_kind = {
                .what = "cannot advertise",
                .start = advert_start,
                .done = advert_done,
};

void radio_advertise(Radio *radio, bool flood, radio_done_t done, void *userdata) {
        AdvertSetting *a = setting_new(sizeof(AdvertSetting), done, userdata);

        a->flood = flood;
        (void) command_send_self_advert(&a->setting.command, flood);
        request_submit(radio, &a->setting.request, &advert_kind);
}
