/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a command of meshcore-cli is called here; NULL when it has no such command. Static. */
const char *verb_elsewhere(const char *name);
