/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The link of a radio fails at every frame of every recorded session, in every way, and each time all must be
 * as if it had not (fault-run.c says what). Prints which of them held.
 *
 *   link-faults [--points N] [--seed S] [--jobs N] [TRANSCRIPT…]
 *       N of them, chosen by the seed; 0: all
 *   link-faults --only NAME/cold/cut/inside/17/SEED
 *       one of them, as a failure names it
 *
 * Each is a process of its own, with a store of its own. */

#include <check.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault-run.h"
#include "log.h"

#define PATIENCE_S   120 /* for one of them, on a busy machine */
#define TOLD_MAX     20  /* failures that are told one by one */
#define POINTS_SMALL 400
#define JOBS_MAX     64

typedef struct Cell {
        unsigned passed, failed;
} Cell;

typedef struct Row {
        char *name, *path;
        FaultResult *baseline[2]; /* cold and warm; shared with the processes */
        Cell cells[_FAULT_MAX];
} Row;

typedef struct Point {
        FaultPoint point;
        Row *row;
} Point;

typedef struct Job {
        pid_t pid; /* 0: free */
        const Point *point;
} Job;

static int n_points = POINTS_SMALL, n_jobs = 1;
static gint64 seed = -1;
static char *only;
static char **names;
static Job jobs[JOBS_MAX];
static unsigned n_failed, n_passed;
static FaultResult spare; /* of a process of its own */

/* The arguments of the test; there is one at a time in a process. */
static const FaultPoint *the_point;
static const char *the_digest;
static FaultResult *the_result;

START_TEST(a_life) {
        fault_run(the_point, the_digest, the_result);
}
END_TEST

static int run_one(const Point *p) {
        Suite *suite = suite_create("link-faults");
        TCase *tc = tcase_create(p->row->name);
        SRunner *runner;
        int failed;

        the_point = &p->point;
        the_result = p->point.fault == FAULT_NONE ? p->row->baseline[p->point.warm] : &spare;
        the_digest = p->point.fault == FAULT_NONE || !p->row->baseline[0]
                                     ? NULL
                                     : p->row->baseline[p->point.warm]->digest;
        tcase_add_test(tc, a_life);
        suite_add_tcase(suite, tc);
        runner = srunner_create(suite);
        srunner_set_fork_status(runner, CK_NOFORK);
        srunner_run_all(runner, CK_SILENT);
        failed = srunner_ntests_failed(runner);
        if (failed > 0)
                srunner_print(runner, CK_NORMAL);
        srunner_free(runner);
        return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void reap(void) {
        int status;
        pid_t pid = wait(&status);
        Job *job = NULL;
        const Point *p;

        for (int i = 0; i < n_jobs; i++)
                if (jobs[i].pid == pid)
                        job = &jobs[i];
        if (!job)
                return;

        job->pid = 0;
        p = job->point;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
                p->row->cells[p->point.fault].passed++;
                n_passed++;
                return;
        }

        p->row->cells[p->point.fault].failed++;
        if (n_failed++ < TOLD_MAX)
                printf("FAILED%s --only %s/%s/%s/%s/%u/%u\n",
                       WIFSIGNALED(status) ? WTERMSIG(status) == SIGALRM ? " (hangs)" : " (crashes)" : "",
                       p->row->name, p->point.warm ? "warm" : "cold", link_fault_to_string(p->point.fault),
                       fault_place_to_string(p->point.place), p->point.frame, p->point.seed);
        (void) fflush(stdout);
}

static bool is_busy(void) {
        for (int i = 0; i < n_jobs; i++)
                if (jobs[i].pid > 0)
                        return true;
        return false;
}

static void start(const Point *p) {
        Job *job = NULL;

        while (!job) {
                for (int i = 0; i < n_jobs && !job; i++)
                        if (jobs[i].pid == 0)
                                job = &jobs[i];
                if (!job)
                        reap();
        }

        job->point = p;
        job->pid = fork();
        if (job->pid < 0) {
                perror("fork");
                exit(EXIT_FAILURE);
        }
        if (job->pid == 0) {
                (void) alarm(PATIENCE_S);
                exit(run_one(p));
        }
}

static void finish(void) {
        while (is_busy())
                reap();
}

/* -- what there is to do --------------------------------------------------------------- */

static int compare_rows(gconstpointer a, gconstpointer b) {
        return strcmp((*(Row *const *) a)->name, (*(Row *const *) b)->name);
}

static void row_free(gpointer p) {
        Row *row = p;

        g_free(row->name);
        g_free(row->path);
        g_free(row);
}

static GPtrArray *find_transcripts(const char *directory) {
        GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = g_dir_open(directory, 0, &error);
        const char *file;

        if (!dir) {
                (void) fprintf(stderr, "%s\n", error->message);
                return rows;
        }
        while ((file = g_dir_read_name(dir))) {
                g_autofree char *name =
                                g_str_has_suffix(file, ".jsonl") ? g_strndup(file, strlen(file) - 6) : NULL;
                Row *row;

                if (!name || (names && !g_strv_contains((const char *const *) names, name)))
                        continue;
                row = g_new0(Row, 1);
                row->path = g_build_filename(directory, file, NULL);
                row->name = g_steal_pointer(&name);
                g_ptr_array_add(rows, row);
        }
        g_ptr_array_sort(rows, compare_rows);
        return rows;
}

/* Each recording without a fault: how many frames there are, and what is there in the end. */
static bool run_baselines(GPtrArray *rows) {
        FaultResult *shared = mmap(NULL, 2 * rows->len * sizeof(FaultResult), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        g_autofree Point *points = g_new0(Point, 2 * rows->len);

        if (shared == MAP_FAILED) {
                perror("mmap");
                return false;
        }
        for (guint i = 0; i < 2 * rows->len; i++) {
                Row *row = rows->pdata[i / 2];

                row->baseline[i % 2] = &shared[i];
                points[i] = (Point){.point = {.transcript = row->path, .warm = i % 2 == 1}, .row = row};
                start(&points[i]);
        }
        finish();
        return n_failed == 0;
}

static void add_points(GArray *points, Row *row, GRand *dice) {
        for (int warm = 0; warm < 2; warm++)
                for (unsigned frame = 1; frame <= row->baseline[warm]->n_frames; frame++)
                        for (int fault = FAULT_CUT; fault < _FAULT_MAX; fault++) {
                                Point p = {
                                                .point = {.transcript = row->path,
                                                          .warm = warm == 1,
                                                          .fault = (LinkFault) fault,
                                                          .frame = frame,
                                                          .place = (FaultPlace) g_rand_int_range(
                                                                          dice, 0, _FAULT_PLACE_MAX),
                                                          .seed = g_rand_int(dice)},
                                                .row = row,
                                };

                                g_array_append_val(points, p);
                        }
}

static void shuffle(GArray *points, GRand *dice) {
        for (guint i = points->len; i > 1; i--) {
                guint k = (guint) g_rand_int_range(dice, 0, (gint32) i);
                Point p = g_array_index(points, Point, k);

                g_array_index(points, Point, k) = g_array_index(points, Point, i - 1);
                g_array_index(points, Point, i - 1) = p;
        }
}

static void print_matrix(GPtrArray *rows) {
        printf("%-44s %6s", "", "frames");
        for (int fault = FAULT_CUT; fault < _FAULT_MAX; fault++)
                printf(" %12s", link_fault_to_string((LinkFault) fault));
        printf("\n");
        for (guint i = 0; i < rows->len; i++) {
                const Row *row = rows->pdata[i];

                printf("%-44s %6u", row->name, row->baseline[0]->n_frames + row->baseline[1]->n_frames);
                for (int fault = FAULT_CUT; fault < _FAULT_MAX; fault++) {
                        const Cell *cell = &row->cells[fault];
                        g_autofree char *text =
                                        g_strdup_printf("%u/%u", cell->passed, cell->passed + cell->failed);

                        printf(" %12s", cell->passed + cell->failed > 0 ? text : "-");
                }
                printf("\n");
        }
}

static int run_points(GPtrArray *rows) {
        g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(Point));
        GRand *dice = g_rand_new_with_seed((guint32) seed);
        guint n;

        if (!run_baselines(rows)) {
                g_rand_free(dice);
                return EXIT_FAILURE;
        }
        for (guint i = 0; i < rows->len; i++)
                add_points(points, rows->pdata[i], dice);
        shuffle(points, dice);
        g_rand_free(dice);

        n = n_points > 0 ? MIN((guint) n_points, points->len) : points->len;
        printf("seed %" G_GINT64_FORMAT ", %u of %u places to fail at\n", seed, n, points->len);
        (void) fflush(stdout);
        n_passed = 0;
        for (guint i = 0; i < n; i++)
                start(&g_array_index(points, Point, i));
        finish();

        print_matrix(rows);
        printf("%u held, %u failed\n", n_passed, n_failed);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* In this process, for a debugger. */
static int run_only(const char *directory) {
        g_auto(GStrv) parts = g_strsplit(only, "/", -1);
        g_autofree char *path = NULL;
        Row row = {};
        Point p = {.row = &row};

        if (g_strv_length(parts) != 6) {
                (void) fprintf(stderr, "--only NAME/cold/cut/inside/17/SEED\n");
                return EXIT_FAILURE;
        }
        path = g_strdup_printf("%s/%s.jsonl", directory, parts[0]);
        row.name = parts[0];
        p.point = (FaultPoint){
                        .transcript = path,
                        .warm = strcmp(parts[1], "warm") == 0,
                        .fault = link_fault_from_string(parts[2]),
                        .place = fault_place_from_string(parts[3]),
                        .frame = (unsigned) g_ascii_strtoull(parts[4], NULL, 10),
                        .seed = (uint32_t) g_ascii_strtoull(parts[5], NULL, 10),
        };
        if (p.point.fault < 0 || p.point.place < 0) {
                (void) fprintf(stderr, "no such fault, or no such place\n");
                return EXIT_FAILURE;
        }
        row.baseline[p.point.warm] = &spare;
        return run_one(&p);
}

int main(int argc, char **argv) {
        const GOptionEntry entries[] = {
                        {"points", 0, 0, G_OPTION_ARG_INT, &n_points, "How many; 0: all", "N"},
                        {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Of an earlier run", "S"},
                        {"jobs", 0, 0, G_OPTION_ARG_INT, &n_jobs, "At the same time", "N"},
                        {"only", 0, 0, G_OPTION_ARG_STRING, &only, "This one", "POINT"},
                        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &names, NULL, "[TRANSCRIPT…]"},
                        {},
        };
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        const char *directory = g_getenv("MESHCORED_TRANSCRIPTS") ?: "tests/data/transcripts";
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) rows = NULL;

        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, &error)) {
                (void) fprintf(stderr, "%s\n", error->message);
                return EXIT_FAILURE;
        }
        n_jobs = CLAMP(n_jobs, 1, JOBS_MAX);
        if (seed < 0)
                seed = g_random_int();
        /* What is synced is not the question here. */
        if (!g_getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
                (void) g_setenv("TMPDIR", "/dev/shm", TRUE);
        log_set_level(g_getenv("DEBUG") ? LOG_DEBUG : LOG_EMERG);

        if (only)
                return run_only(directory);
        rows = find_transcripts(directory);
        if (rows->len == 0) {
                (void) fprintf(stderr, "no recordings in %s\n", directory);
                return EXIT_FAILURE;
        }
        return run_points(rows);
}
