/*
 * A file system that fails, from one of its steps on, for a program and all that it starts: loaded by LD_PRELOAD, it lets the
 * first FAULT_AT - 1 calls below FAULT_BELOW through and fails all others with FAULT_ERROR. Of ENOSPC these are the calls that
 * want room, of EROFS all that change anything, and of EACCES all that name a file, as where FAULT_BELOW is a directory whose
 * rights are taken away: what is open stays usable. The calls are counted in the file FAULT_COUNT, across all processes.
 */
#define _GNU_SOURCE
#include <dirent.h>
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
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
  fault_error = ENOSPC;
  if (error && strcmp(error, "EROFS") == 0) fault_error = EROFS;
  if (error && strcmp(error, "EACCES") == 0) fault_error = EACCES;
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
  if (!count || (!path && fault_error == EACCES)) return 0;
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
static int fails_if_sealed(int dir, const char *path) { return fault_error != ENOSPC && fails(dir, path); }

/* The name of the directory itself is in another one: it is found, but not what is in it. */
static int is_hidden(int dir, const char *path) {
  return fault_error == EACCES && path && path[0] && strcmp(path, below) != 0 && fails(dir, path);
}

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
OF_DESCRIPTOR(ssize_t, sendfile, (int fd, int from, off_t *at, size_t size), (fd, from, at, size), int, int, off_t *, size_t)
OF_DESCRIPTOR(ssize_t, sendfile64, (int fd, int from, off64_t *at, size_t size), (fd, from, at, size), int, int, off64_t *, size_t)

ssize_t copy_file_range(int from, off64_t *from_at, int fd, off64_t *at, size_t size, unsigned flags) {
  REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
  return fails(fd, NULL) ? -1 : real(from, from_at, fd, at, size, flags);
}

/* Node.js makes some calls by their number. */
long syscall(long number, ...) {
  long a[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  REAL(long, syscall, long, ...);
  if (number == SYS_copy_file_range && fails((int)a[2], NULL)) return -1;
  if (number == SYS_statx && is_hidden((int)a[0], (const char *)a[1])) return -1;
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int opens_in_vain(int flags) {
  if (fault_error == EACCES) return 1;
  return (flags & O_CREAT) || (fault_error == EROFS && (flags & (O_WRONLY | O_RDWR | O_TRUNC)));
}

/* A file that is there takes no room when it is opened. */
static int refuses_open(int dir, const char *path, int flags) {
  if (!count || !opens_in_vain(flags)) return 0;
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

#define FOPEN(name) \
  FILE *name(const char *path, const char *mode) { \
    REAL(FILE *, name, const char *, const char *); \
    int flags = mode[0] == 'r' && !strchr(mode, '+') ? O_RDONLY : O_RDWR | (mode[0] == 'r' ? 0 : O_CREAT); \
    return refuses_open(AT_FDCWD, path, flags) ? NULL : real(path, mode); \
  }
FOPEN(fopen)
FOPEN(fopen64)

/* SQLite has the same code for a disk that is full and for a limit of its own: who asks the disk gets an answer that fits. */
#define STATFS(name) \
  int name(const char *path, struct name *found) { \
    REAL(int, name, const char *, struct name *); \
    int result = real(path, found); \
    if (result == 0 && fault_error == ENOSPC && count && fault_at > 0 && *count >= fault_at && is_below(path)) found->f_bavail = 0; \
    return result; \
  }
STATFS(statfs)
STATFS(statfs64)

#define STAT(name, of) \
  int name(const char *path, struct of *found) { \
    REAL(int, name, const char *, struct of *); \
    return is_hidden(AT_FDCWD, path) ? -1 : real(path, found); \
  }
STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *found) {
  REAL(int, statx, int, const char *, int, unsigned, struct statx *);
  return is_hidden(dir, path) ? -1 : real(dir, path, flags, mask, found);
}

int access(const char *path, int mode) {
  REAL(int, access, const char *, int);
  return is_hidden(AT_FDCWD, path) ? -1 : real(path, mode);
}

#define LISTS(type, name, failed, parameters, arguments, ...) \
  type name parameters { \
    REAL(type, name, __VA_ARGS__); \
    return fault_error == EACCES && fails(AT_FDCWD, path) ? failed : real arguments; \
  }
#define CHOOSE(of) int (*choose)(const struct of *), int (*order)(const struct of **, const struct of **)
LISTS(DIR *, opendir, NULL, (const char *path), (path), const char *)
LISTS(int, scandir, -1, (const char *path, struct dirent ***found, CHOOSE(dirent)), (path, found, choose, order), const char *, struct dirent ***, CHOOSE(dirent))
LISTS(int, scandir64, -1, (const char *path, struct dirent64 ***found, CHOOSE(dirent64)), (path, found, choose, order), const char *, struct dirent64 ***, CHOOSE(dirent64))

int mkdir(const char *path, mode_t mode) {
  REAL(int, mkdir, const char *, mode_t);
  return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && fails(AT_FDCWD, path) ? -1 : real(path, mode);
}

char *mkdtemp(char *path) {
  REAL(char *, mkdtemp, char *);
  return fails(AT_FDCWD, path) ? NULL : real(path);
}

int symlink(const char *target, const char *path) {
  REAL(int, symlink, const char *, const char *);
  return fails(AT_FDCWD, path) ? -1 : real(target, path);
}

int link(const char *from, const char *path) {
  REAL(int, link, const char *, const char *);
  return fails(AT_FDCWD, path) ? -1 : real(from, path);
}

/* What is called by a path, and changes what is there. */
#define SEALED(name, parameters, arguments, ...) \
  int name parameters { \
    REAL(int, name, __VA_ARGS__); \
    return fails_if_sealed(AT_FDCWD, path) ? -1 : real arguments; \
  }
#define SEALED_AT(name, parameters, arguments, ...) \
  int name parameters { \
    REAL(int, name, __VA_ARGS__); \
    return fails_if_sealed(dir, path) ? -1 : real arguments; \
  }
SEALED(rename, (const char *from, const char *path), (from, path), const char *, const char *)
SEALED(unlink, (const char *path), (path), const char *)
SEALED(remove, (const char *path), (path), const char *)
SEALED(rmdir, (const char *path), (path), const char *)
SEALED(chmod, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
SEALED(chown, (const char *path, uid_t user, gid_t group), (path, user, group), const char *, uid_t, gid_t)
SEALED(lchown, (const char *path, uid_t user, gid_t group), (path, user, group), const char *, uid_t, gid_t)
SEALED_AT(unlinkat, (int dir, const char *path, int flags), (dir, path, flags), int, const char *, int)
SEALED_AT(utimensat, (int dir, const char *path, const struct timespec times[2], int flags), (dir, path, times, flags), int, const char *, const struct timespec *, int)

#define SEALED_DESCRIPTOR(name, parameters, arguments, ...) \
  int name parameters { \
    REAL(int, name, __VA_ARGS__); \
    return fails_if_sealed(fd, NULL) ? -1 : real arguments; \
  }
SEALED_DESCRIPTOR(fchmod, (int fd, mode_t mode), (fd, mode), int, mode_t)
SEALED_DESCRIPTOR(fchown, (int fd, uid_t user, gid_t group), (fd, user, group), int, uid_t, gid_t)
SEALED_DESCRIPTOR(futimens, (int fd, const struct timespec times[2]), (fd, times), int, const struct timespec *)
SEALED_DESCRIPTOR(ftruncate, (int fd, off_t size), (fd, size), int, off_t)
SEALED_DESCRIPTOR(ftruncate64, (int fd, off64_t size), (fd, size), int, off64_t)
