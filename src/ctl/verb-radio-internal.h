/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The parts of the group radio. */

#include "verbs.h"

extern const Verb radio_set_name, radio_set_location, radio_set_params, radio_set_tx_power, radio_set_other,
                radio_set_tuning, radio_path_hash, radio_scope, radio_pin, radio_vars;
extern const Verb radio_time_sync, radio_reboot, radio_factory_reset, radio_advertise, radio_stats,
                radio_telemetry;
extern const Verb radio_trace, radio_discover, radio_send_raw, radio_send_control, radio_send_packet;
extern const Verb radio_sign, radio_export_key, radio_import_key;
