/*
 * A file system that fails, from one of its steps on, for a program and all that it starts: loaded by LD_PRELOAD, it lets the
 * first FAULT_AT - 1 calls through that want room (or, where it is read-only, change anything) below FAULT_BELOW, and fails all
 * others with FAULT_ERROR (ENOSPC or EROFS). The calls are counted in the file FAULT_COUNT, across all processes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *below;
static size_t below_length;
static int fault_error;
static uint32_t fault_at;
static uint32_t *count;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("FAULT_COUNT"), *at = getenv("FAULT_AT"), *error = getenv("FAULT_ERROR");
  below = getenv("FAULT_BELOW");
  if (!file || !below) return;
  below_length = strlen(below);
  fault_at = at ? (uint32_t)strtoul(at, NULL, 10) : 0;
  fault_error = error && strcmp(error, "EROFS") == 0 ? EROFS : ENOSPC;
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) count = page;
}

static int is_below(const char *path) {
  return strncmp(path, below, below_length) == 0 && (path[below_length] == '/' || path[below_length] == 0);
}

/* Whether a call that is about a path, or a descriptor where that is NULL, fails. */
static int fails(int dir, const char *path) {
  char link[64], named[2 * PATH_MAX + 2];
  if (!count) return 0;
  if (path && path[0] == '/') {
    snprintf(named, sizeof named, "%s", path);
  } else {
    ssize_t length;
    if (path && dir == AT_FDCWD) {
      if (!getcwd(named, PATH_MAX)) return 0;
      length = (ssize_t)strlen(named);
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
      length = readlink(link, named, PATH_MAX);
      if (length < 0) return 0;
      named[length] = 0;
    }
    if (path) snprintf(named + length, sizeof named - (size_t)length, "/%s", path);
  }
  if (!is_below(named)) return 0;
  uint32_t step = __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
  if (fault_at == 0 || step < fault_at) return 0;
  errno = fault_error;
  return 1;
}

/* What takes no room, as removing does, fails where nothing may be changed. */
static int fails_if_sealed(int dir, const char *path) { return fault_error == EROFS && fails(dir, path); }

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define OF_DESCRIPTOR(type, name, parameters, arguments, ...) \
  type name parameters { \
    REAL(type, name, __VA_ARGS__); \
    return fails(fd, NULL) ? -1 : real arguments; \
  }

OF_DESCRIPTOR(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size), int, const void *, size_t)
OF_DESCRIPTOR(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at), int, const void *, size_t, off_t)
OF_DESCRIPTOR(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at), int, const void *, size_t, off64_t)
OF_DESCRIPTOR(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), int, const struct iovec *, int)
OF_DESCRIPTOR(ssize_t, pwritev, (int fd, const struct iovec *parts, int n, off_t at), (fd, parts, n, at), int, const struct iovec *, int, off_t)
OF_DESCRIPTOR(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), int, int, off_t, off_t)
OF_DESCRIPTOR(int, posix_fallocate, (int fd, off_t at, off_t size), (fd, at, size), int, off_t, off_t)

ssize_t copy_file_range(int from, off64_t *from_at, int fd, off64_t *at, size_t size, unsigned flags) {
  REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
  return fails(fd, NULL) ? -1 : real(from, from_at, fd, at, size, flags);
}

static int makes(int flags) {
  return (flags & O_CREAT) || (fault_error == EROFS && (flags & (O_WRONLY | O_RDWR | O_TRUNC)));
}

/* A file that is there takes no room when it is opened. */
static int refuses_open(int dir, const char *path, int flags) {
  if (!count || !makes(flags)) return 0;
  if (fault_error == ENOSPC && faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return 0;
  return fails(dir, path);
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    REAL(int, name, const char *, int, ...); \
    return refuses_open(AT_FDCWD, path, flags) ? -1 : real(path, flags, mode); \
  }
#define OPENAT(name) \
  int name(int dir, const char *path, int flags, ...) { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    REAL(int, name, int, const char *, int, ...); \
    return refuses_open(dir, path, flags) ? -1 : real(dir, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* SQLite has the same code for a disk that is full and for a limit of its own: who asks the disk gets an answer that fits. */
#define STATFS(name) \
  int name(const char *path, struct name *found) { \
    REAL(int, name, const char *, struct name *); \
    int result = real(path, found); \
    if (result == 0 && count && fault_at > 0 && *count >= fault_at && is_below(path)) found->f_bavail = 0; \
    return result; \
  }
STATFS(statfs)
STATFS(statfs64)

int mkdir(const char *path, mode_t mode) {
  REAL(int, mkdir, const char *, mode_t);
  struct stat found;
  return lstat(path, &found) != 0 && fails(AT_FDCWD, path) ? -1 : real(path, mode);
}

int symlink(const char *target, const char *path) {
  REAL(int, symlink, const char *, const char *);
  return fails(AT_FDCWD, path) ? -1 : real(target, path);
}

int link(const char *from, const char *path) {
  REAL(int, link, const char *, const char *);
  return fails(AT_FDCWD, path) ? -1 : real(from, path);
}

int rename(const char *from, const char *path) {
  REAL(int, rename, const char *, const char *);
  return fails_if_sealed(AT_FDCWD, path) ? -1 : real(from, path);
}

int unlink(const char *path) {
  REAL(int, unlink, const char *);
  return fails_if_sealed(AT_FDCWD, path) ? -1 : real(path);
}

int rmdir(const char *path) {
  REAL(int, rmdir, const char *);
  return fails_if_sealed(AT_FDCWD, path) ? -1 : real(path);
}

int chmod(const char *path, mode_t mode) {
  REAL(int, chmod, const char *, mode_t);
  return fails_if_sealed(AT_FDCWD, path) ? -1 : real(path, mode);
}
