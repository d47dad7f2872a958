/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Runs a fuzz target over files and directories of inputs, each whole and cut
 * to every shorter length; those after --whole are not cut. Fails when there is none. */

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static unsigned long n_inputs;
static bool whole;

static void run_file(const char *path) {
        g_autofree char *contents = NULL;
        gsize size;

        if (!g_file_get_contents(path, &contents, &size, NULL)) {
                (void) fprintf(stderr, "cannot read %s\n", path);
                exit(EXIT_FAILURE);
        }

        for (gsize n = whole ? size : 0; n <= size; n++) {
                /* an allocation of its own size, for the sanitizers */
                g_autofree uint8_t *copy = g_memdup2(contents, n);

                (void) LLVMFuzzerTestOneInput(copy, n);
        }
        n_inputs++;
}

static void run_path(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        if (!dir) {
                run_file(path);
                return;
        }
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                run_path(child);
        }
}

int main(int argc, char *argv[]) {
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--whole") == 0)
                        whole = true;
                else
                        run_path(argv[i]);

        printf("%lu inputs\n", n_inputs);
        return n_inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
