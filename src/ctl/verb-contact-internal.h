/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "verbs.h"

extern const Verb contact_add, contact_advert_path, contact_export, contact_favourite, contact_import,
                contact_remove, contact_refresh, contact_reset_path, contact_set_path, contact_share,
                contact_update;
