/* Files that fail, and a clock that is set back, in one process: loaded by LD_PRELOAD, steered by failing_files.py.

   Beneath one folder, calls of the chosen kinds fail with an error number once so many of them went well. Syncs that
   do not fail do nothing, so that many cases can be tried in a second. Wall clocks are shifted; the monotonic one goes
   on, as it does where an administrator sets the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, READS = 4, NAMES = 8, CREATES = 16 };

static char folder[PATH_MAX];
static size_t length;
static int failure, kinds;
static long good, calls;
static time_t shift;

/* Fail calls of these kinds beneath a folder with an error number after so many that go well; 0 for none. */
void fail_files(const char *under, int error, int which, long after) {
    snprintf(folder, sizeof folder, "%s", under);
    length = strlen(folder);
    kinds = which;
    good = after;
    calls = 0;
    failure = error;
}

/* How many calls of the chosen kinds there were. */
long counted_calls(void) { return calls; }

void shift_clock(long seconds) { shift = seconds; }

static int beneath(const char *path) {
    return length && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int fails(int kind) {
    if (!(kind & kinds)) return 0;
    if (calls++ < good || !failure) return 0;
    errno = failure;
    return 1;
}

static int file_is_ours(int file) {
    char link[64], path[PATH_MAX];
    if (!length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return beneath(path);
}

static int name_is_ours(int at, const char *name) {
    char link[64], path[2 * PATH_MAX];
    if (!length || !name) return 0;
    if (name[0] == '/') return beneath(name);
    if (at == AT_FDCWD) {
        if (!getcwd(path, PATH_MAX)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t size = readlink(link, path, PATH_MAX - 1);
        if (size < 0) return 0;
        path[size] = 0;
    }
    size_t used = strlen(path);
    snprintf(path + used, sizeof path - used, "/%s", name);
    return beneath(path);
}

#define NEXT(name) static __typeof__(&name) next; if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, #name)
#define BY_FILE(kind) if (file_is_ours(file) && fails(kind)) return -1
#define BY_NAME(at, name, kind) if (name_is_ours(at, name) && fails(kind)) return -1

ssize_t write(int file, const void *data, size_t size) { NEXT(write); BY_FILE(WRITES); return next(file, data, size); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) { NEXT(pwrite); BY_FILE(WRITES); return next(file, data, size, at); }
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) { NEXT(pwrite64); BY_FILE(WRITES); return next(file, data, size, at); }
int ftruncate(int file, off_t size) { NEXT(ftruncate); BY_FILE(WRITES); return next(file, size); }
int ftruncate64(int file, off64_t size) { NEXT(ftruncate64); BY_FILE(WRITES); return next(file, size); }
ssize_t read(int file, void *data, size_t size) { NEXT(read); BY_FILE(READS); return next(file, data, size); }
ssize_t pread(int file, void *data, size_t size, off_t at) { NEXT(pread); BY_FILE(READS); return next(file, data, size, at); }
ssize_t pread64(int file, void *data, size_t size, off64_t at) { NEXT(pread64); BY_FILE(READS); return next(file, data, size, at); }
int fsync(int file) { NEXT(fsync); if (!file_is_ours(file)) return next(file); return fails(SYNCS) ? -1 : 0; }
int fdatasync(int file) { NEXT(fdatasync); if (!file_is_ours(file)) return next(file); return fails(SYNCS) ? -1 : 0; }
int rename(const char *from, const char *to) { NEXT(rename); BY_NAME(AT_FDCWD, to, NAMES | CREATES); return next(from, to); }
int link(const char *from, const char *to) { NEXT(link); BY_NAME(AT_FDCWD, to, NAMES | CREATES); return next(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) { NEXT(linkat); BY_NAME(b, to, NAMES | CREATES); return next(a, from, b, to, flags); }
int mkdir(const char *name, mode_t mode) { NEXT(mkdir); BY_NAME(AT_FDCWD, name, NAMES | CREATES); return next(name, mode); }
int unlink(const char *name) { NEXT(unlink); BY_NAME(AT_FDCWD, name, NAMES); return next(name); }
int stat(const char *name, struct stat *found) { NEXT(stat); BY_NAME(AT_FDCWD, name, NAMES); return next(name, found); }
int stat64(const char *name, struct stat64 *found) { NEXT(stat64); BY_NAME(AT_FDCWD, name, NAMES); return next(name, found); }
int fstat(int file, struct stat *found) { NEXT(fstat); BY_FILE(NAMES); return next(file, found); }
int fstat64(int file, struct stat64 *found) { NEXT(fstat64); BY_FILE(NAMES); return next(file, found); }

#define OPENED(kept, flags) mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, kept); mode = va_arg(rest, mode_t); va_end(rest); }
#define OPENS(flags) (NAMES | ((flags) & O_CREAT ? CREATES : 0))

int open(const char *name, int flags, ...) { NEXT(open); OPENED(flags, flags) BY_NAME(AT_FDCWD, name, OPENS(flags)); return next(name, flags, mode); }
int open64(const char *name, int flags, ...) { NEXT(open64); OPENED(flags, flags) BY_NAME(AT_FDCWD, name, OPENS(flags)); return next(name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { NEXT(openat); OPENED(flags, flags) BY_NAME(at, name, OPENS(flags)); return next(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { NEXT(openat64); OPENED(flags, flags) BY_NAME(at, name, OPENS(flags)); return next(at, name, flags, mode); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    NEXT(clock_gettime);
    int failed = next(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += shift;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    NEXT(gettimeofday);
    int failed = next(now, zone);
    if (!failed) now->tv_sec += shift;
    return failed;
}

time_t time(time_t *now) {
    NEXT(time);
    time_t found = next(NULL) + shift;
    if (now) *now = found;
    return found;
}

int utimensat(int at, const char *name, const struct timespec times[2], int flags) {
    NEXT(utimensat);
    struct timespec now[2];
    if (name_is_ours(at, name) && fails(NAMES)) return -1;
    if (times || !shift) return next(at, name, times, flags);
    clock_gettime(CLOCK_REALTIME, &now[0]);
    now[1] = now[0];
    return next(at, name, now, flags);
}
