import { expect, test } from 'vitest'
import { remoteFailure } from '../../src/git/remote-failure.ts'
import { gitCause } from '../../src/git/run.ts'

/** What ssh, curl and servers print that a test on one machine cannot make them print. */
test.each([
  [
    'git@example.org: Permission denied (publickey).\r\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n',
    'authentication failed (git@example.org: Permission denied (publickey).)',
  ],
  [
    'Host key verification failed.\r\nfatal: Could not read from remote repository.\n',
    'the host key of the remote is not known (Host key verification failed.)',
  ],
  [
    'ssh: Could not resolve hostname nowhere: Name or service not known\r\nfatal: Could not read from remote repository.\n',
    'it is unreachable (Could not resolve hostname nowhere: Name or service not known)',
  ],
  [
    'ssh: connect to host example.org port 22: Connection timed out\r\nfatal: Could not read from remote repository.\n',
    'it is unreachable (connect to host example.org port 22: Connection timed out)',
  ],
  [
    'ERROR: Repository not found.\nfatal: Could not read from remote repository.\n',
    'there is no such repository (ERROR: Repository not found.)',
  ],
  [
    'error: RPC failed; curl 56 Recv failure: Connection reset by peer\nerror: failed to push some refs to x\n',
    'it is unreachable (RPC failed; curl 56 Recv failure: Connection reset by peer)',
  ],
  [
    'batch response: Post "http://x/info/lfs/objects/batch": dial tcp: lookup x on 10.0.0.1:53: no such host\n',
    'it is unreachable (batch response: Post "http://x/info/lfs/objects/batch": dial tcp: lookup x on 10.0.0.1:53: no such host)',
  ],
  [
    'batch response: Git credentials for https://x/app.git not found.\n',
    'authentication failed (batch response: Git credentials for https://x/app.git not found.)',
  ],
  [
    'error transferring "4d7a": [0] remote missing object 4d7a\n',
    'it does not have them (error transferring "4d7a": [0] remote missing object 4d7a)',
  ],
  [
    "fatal: detected dubious ownership in repository at '/srv/app.git'\nTo add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /srv/app.git\nfatal: Could not read from remote repository.\n",
    "git does not trust it, as it belongs to another user (detected dubious ownership in repository at '/srv/app.git')",
  ],
  ['fatal: something new\n', 'something new'],
  ['', 'git ended with code 1'],
])('%j is put into words', (stderr, cause) => {
  expect(remoteFailure({ code: 1, stdout: '', stderr }).cause).toBe(cause)
})

test.each([
  ["fatal: unable to access 'https://x/': Could not resolve host: x\n", true],
  [
    'error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502\nfatal: the remote end hung up unexpectedly\n',
    true,
  ],
  [
    "fatal: unable to access 'https://x/': gnutls_handshake() failed: The TLS connection was non-properly terminated. SSL\n",
    true,
  ],
  ["fatal: unable to access 'https://x/': SSL certificate problem: self signed certificate\n", false],
  [
    'error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413\nfatal: the remote end hung up unexpectedly\n',
    false,
  ],
  ['git@x: Permission denied (publickey).\r\nConnection closed by 1.2.3.4\n', false],
  ['batch response: Fatal error: Server error: http://x/info/lfs/objects/batch\n', true],
  ['[4d7a] Object does not exist on the server: [404] Object does not exist on the server\n', false],
  ['fatal: something new\n', false],
])('%j can heal: %s', (stderr, expected) => {
  expect(remoteFailure({ code: 128, stdout: '', stderr }).canHeal ?? false).toBe(expected)
})

test('a full disk of the remote is told from one of this machine', () => {
  const stderr = 'remote: fatal: write error: No space left on device\nerror: failed to push some refs\n'
  const stdout = '!\trefs/heads/main:refs/heads/main\t[remote rejected] (unpacker error)\n'
  expect(remoteFailure({ code: 1, stdout, stderr }).cause).toBe('there is no space left on the remote')
  expect(remoteFailure({ code: 1, stdout: '', stderr: stderr.replace('remote: ', '') }).cause).not.toMatch(
    /remote/,
  )
})

test('a full disk is called so, whatever git was doing', () => {
  const texts = [
    "sha1 file '/x/tmp_pack_a' write error. Out of diskspace",
    'write error: No space left on device',
  ]
  for (const text of texts)
    expect(gitCause({ code: 128, stderr: `fatal: ${text}\n` })).toBe('no space left on device')
})

test('the first fatal line is the cause', () => {
  const stderr = 'warning: a\nerror: b\nfatal: c\nfatal: d\n'
  expect(gitCause({ code: 128, stderr })).toBe('c')
  expect(gitCause({ code: 1, stderr: 'warning: a\nerror: b\n' })).toBe('b')
  expect(gitCause({ code: 1, stderr: 'hint: a\n' })).toBe('hint: a')
})
