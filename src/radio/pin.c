/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <syslog.h>

#include "clock.h"
#include "macros.h"
#include "radio-internal.h"

/* Asking a person for a PIN. The link has ended for want of it and is opened again with it: a radio shows its
 * PIN as long as it runs, so nothing is lost by that, and no connection is held while somebody looks for his
 * glasses. */

/* A radio may count wrong ones, and a person who does not know it by then won't. Who wants to try all PINs
 * can come as often as he likes, under as many names. */
#define PINS_MAX  3
#define PINS_USEC (60 * USEC_PER_MINUTE)

bool radio_ask_pin(Radio *radio) {
        void *userdata;
        const PinAsker *asker = manager_pin_asker(radio->manager, &userdata);

        if (radio->pin_asked)
                return true;
        if (!asker || radio->pin_refused || radio->n_pins >= PINS_MAX)
                return false;

        radio->pin_asked = asker->ask(radio, radio->ble_address ?: radio->settings->address,
                                      bond_reason_to_string(bond_reason(radio->bond)), userdata);
        return radio->pin_asked;
}

void radio_cancel_pin(Radio *radio) {
        void *userdata;
        const PinAsker *asker = manager_pin_asker(radio->manager, &userdata);

        if (!radio->pin_asked)
                return;

        radio->pin_asked = false;
        if (asker)
                asker->cancel(radio, userdata);
}

void radio_forget_pin(Radio *radio) {
        radio->n_pins = 0;
        radio->pin_refused = false;
}

void radio_answer_pin(Radio *radio, int error, uint32_t passkey) {
        if (!radio->pin_asked)
                return;

        radio->pin_asked = false;
        if (error < 0) {
                /* Who is gone has not refused. */
                radio->pin_refused = error != -ENOENT;
                radio_log(radio, LOG_INFO, 0, "nobody has given the PIN");
        } else {
                radio->n_pins++;
                radio->pin_usec = clock_boottime_usec();
                bond_offer_passkey(radio->bond, passkey);
        }
        radio_pin_told(radio, error);
}

void manager_ask_pins(Manager *manager) {
        GPtrArray *radios = manager_radios(manager);

        for (guint i = 0; i < radios->len; i++) {
                Radio *radio = radios->pdata[i];

                if (!radio->bond || radio->state != RADIO_WAITING || radio->reason != REASON_NEEDS_PIN)
                        continue;
                radio->pin_refused = false;
                if (clock_boottime_usec() - radio->pin_usec >= PINS_USEC)
                        radio->n_pins = 0;
                (void) radio_ask_pin(radio);
        }
}
