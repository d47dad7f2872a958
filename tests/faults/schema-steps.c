/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Prints the statements that lead from each version of the store to the next, a zero behind each. */

#include <stdio.h>

#include "store-internal.h"

int main(void) {
        for (int i = 0; i < store_schema_version; i++)
                if (fputs(store_schema_steps[i], stdout) < 0 || putchar('\0') < 0)
                        return 1;
        return 0;
}
