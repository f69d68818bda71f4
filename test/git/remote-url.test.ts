import { expect, test } from 'vitest'
import { checkRemoteUrl, redactUrl } from '../../src/git/remote-url.ts'

test.each([
  ['https://me:secret@example.org/x.git', 'https://***@example.org/x.git'],
  ['https://ghp_secret@example.org/x.git', 'https://***@example.org/x.git'],
  ['https://example.org/x.git?private_token=secret', 'https://example.org/x.git?***'],
  ['ssh://git@example.org:22/x.git', 'ssh://git@example.org:22/x.git'],
  ['ssh://git:secret@example.org/x.git', 'ssh://git:***@example.org/x.git'],
  ['ftp://:secret@example.org', 'ftp://:***@example.org'],
  ['https://a:b@c:secret@example.org/', 'https://***@example.org/'],
  ['https://me:se/cret@example.org:8443/x.git', 'https://***@example.org:8443/x.git'],
  ['ssh://me:12#secret@example.org/x.git', 'ssh://me:***@example.org/x.git'],
  ['https://me@mail.example:se/cret@example.org/x.git', 'https://***@example.org/x.git'],
  [
    "cannot use 'https://me:se?cret@[::1]:80/x' for me@example.org",
    "cannot use 'https://***@[::1]:80/x' for me@example.org",
  ],
  ['http://[::1]:8080/x@y.git', 'http://[::1]:8080/x@y.git'],
  ['git@example.org:me/x.git', 'git@example.org:me/x.git'],
  ['/srv/backups/a@b:c.git', '/srv/backups/a@b:c.git'],
  [
    "fatal: unable to access 'https://u:secret@h/x/': and https://t0ken@h/y",
    "fatal: unable to access 'https://***@h/x/': and https://***@h/y",
  ],
])('redactUrl shows %s without its secret', (text, shown) => {
  expect(redactUrl(text)).toBe(shown)
})

test.each([
  '/srv/backups/app.git',
  '../app.git',
  'file:///srv/app.git',
  'git@example.org:me/app.git',
  'ssh://git@example.org/app.git',
  'https://example.org/app.git',
  'https://me@example.org/app.git',
  'https://example.org/me@x.git',
  'https://example.org:8443/a:b@c.git',
  'ssh://git@example.org:22/~me/x@y.git',
  'ssh://git@example.org:/srv/x@y.git',
  'http://[::1]/x@y.git',
  'http://me@[::1]:8080/x@y.git',
  'git@[::1]:me/a:b@c.git',
  'file:///srv/a:b@c.git',
  'file://C:/Users/me@home/x.git',
  'C:\\Users\\a:b@c.git',
  'origin',
  'gcrypt::git@example.org:me/app.git',
])('%s is an address', (url) => {
  expect(() => checkRemoteUrl(url)).not.toThrow()
})

test.each([
  ['', 'it is no address'],
  ['a\nb', 'it is no address'],
  ['-oProxyCommand=x', 'it would be an option of git'],
  ['ext::sh -c id', 'that transport runs commands'],
  ['FD::3', 'that transport runs commands'],
  ['https://me:secret@example.org/x', 'it holds a secret'],
  ['https://github_pat_secret@github.com/x', 'it holds a secret'],
  ['https://me:@example.org/x', 'it holds a secret'],
  ['https://me:se/secret@example.org/x', 'it holds a secret'],
  ['https://me:se#secret@example.org:9/x', 'it holds a secret'],
  ['https://me:12?secret@[::1]:9/x', 'it holds a secret'],
  ['https://me:#secret@example.org/x', 'it holds a secret'],
  ['https://me[1]:secret@example.org/x', 'it holds a secret'],
  [`https://me:it's "a secret@example.org/x`, 'it holds a secret'],
  ['https://me@mail.example:a/secret@example.org/x', 'it holds a secret'],
  ['gcrypt::https://me:se/secret@example.org/x', 'it holds a secret'],
])('%j is refused', (url, cause) => {
  expect(() => checkRemoteUrl(url)).toThrow(cause)
  expect(() => checkRemoteUrl(url)).not.toThrow('secret@')
})
