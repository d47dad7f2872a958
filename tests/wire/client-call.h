/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A call of the reference Python client, as vectors.json records it, and the
 * commands that we make of it. */

#include <json-glib/json-glib.h>

#include "command.h"

#define PLAN_MAX 8

typedef struct Plan {
        Command commands[PLAN_MAX];
        size_t n;
        int r; /* of the first encoder that refused */
} Plan;

typedef struct Call {
        JsonObject *entry;
        JsonArray *args;
        JsonObject *kwargs; /* never NULL */
        Plan *plan;
} Call;

/* Room for one more command, and what its encoder returned. */
Command *plan_next(Plan *plan);
void plan_done(Plan *plan, int r);

#define DO(call, encode, ...) plan_done((call)->plan, encode(plan_next((call)->plan), ##__VA_ARGS__))

/* Encodes what the call means; fails the test for a method that is not known. */
void client_encode(Call *call, const char *method);

/* Arguments, by their place. */
JsonNode *arg(const Call *call, guint i);
gint64 arg_int(const Call *call, guint i);
double arg_double(const Call *call, guint i);
const char *arg_text(const Call *call, guint i);
GByteArray *arg_bytes(const Call *call, guint i);
PublicKey arg_key(const Call *call);
gint64 kwarg_int(const Call *call, const char *name, gint64 fallback);
int32_t degrees_e6(double degrees);
