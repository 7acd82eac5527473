import { Code } from '@connectrpc/connect';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  Client,
  DeadlineExceededError,
  EvalrpcError,
  InternalError,
  ServerUnreachableError,
  UnavailableError,
  VERSION,
  WatchInterruptedError,
} from '@evalrpc/client';
import { deferred, rejection } from './support/fixtures.js';
import { temporaryDirectory } from './support/processes.js';
import { cut, refuse, Scripted } from './support/scripted.js';

describe('a call', () => {
  test('says who makes it', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address, token: 'secret' });
    await client.get('x');
    process.env['EVALRPC_ADDRESS'] = server.address;
    process.env['EVALRPC_TOKEN'] = 'from the environment';
    try {
      using other = new Client();
      expect(other.address).toBe(server.address);
      await other.get('x');
    } finally {
      delete process.env['EVALRPC_ADDRESS'];
      delete process.env['EVALRPC_TOKEN'];
    }
    expect(server.headers.map((headers) => headers.get('authorization'))).toEqual([
      'Bearer secret',
      'Bearer from the environment',
    ]);
    expect(server.headers[0]!.get('evalrpc-client')).toBe(`typescript/${VERSION}`);
  });

  test('has a time limit', async () => {
    await using server = await Scripted.start();
    server.answers = [() => new Promise(() => undefined)];
    using client = new Client({ address: server.address, timeoutMs: 200.5 });
    expect(await rejection(client.get('x'))).toBeInstanceOf(DeadlineExceededError);
  });

  test('that is safe to repeat is repeated', async () => {
    await using server = await Scripted.start();
    server.answers = [cut(), refuse(Code.Unavailable, 'DRAINING', 0)];
    using client = new Client({ address: server.address });
    expect((await client.get('x')).id).toBe('x');
    expect(server.headers).toHaveLength(3);
  });

  test('is not repeated for ever, and not after other failures', async () => {
    await using server = await Scripted.start();
    using client = new Client({ address: server.address });
    server.answers = Array.from({ length: 9 }, () => cut());
    expect(await rejection(client.get('x'))).toBeInstanceOf(UnavailableError);
    expect(server.headers).toHaveLength(4);
    server.answers = [refuse(Code.Internal, 'INTERNAL')];
    const error = await rejection(client.get('x'));
    expect(error).toBeInstanceOf(InternalError);
    expect(error).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL', metadata: { key: 'value' } });
    expect(server.headers).toHaveLength(5);
  });

  test('to a server that is not there names the address and the way to start one', async () => {
    for (const address of ['localhost:1', '127.0.0.1:1', '[::1]:1']) {
      using client = new Client({ address, timeoutMs: 300 });
      const error = await rejection(client.get('x'));
      expect(error).toBeInstanceOf(ServerUnreachableError);
      expect(String(error)).toContain(`can be reached at ${address} (`);
      expect(String(error)).toContain(`\`evalrpc-server serve --listen ${address}\``);
    }
    using client = new Client({ address: 'no-such-host.invalid:1', timeoutMs: 300 });
    expect(String(await rejection(client.get('x')))).toContain('--listen HOST:PORT');
  });
});

describe('a client that is closed', () => {
  test('ends its calls and streams, and connects no more', async () => {
    await using server = await Scripted.start();
    const client = new Client({ address: server.address });
    const arrived = deferred();
    const never = (): Promise<void> => {
      arrived.resolve();
      return new Promise(() => undefined);
    };
    server.answers = [never];
    server.scripts = [[never]];
    const call = rejection(client.get('x'));
    const stream = rejection(client.watch('x').result());
    await arrived.promise;
    await expect.poll(() => server.watches.length).toBe(1);
    client.close();
    for (const error of await Promise.all([call, stream])) {
      expect(error).toMatchObject({ message: 'the client was closed', code: 'CANCELLED' });
    }
    expect(server.headers).toHaveLength(2);
  });
});

describe('an address', () => {
  test('is host:port, or a URL without a path', () => {
    for (const address of ['http://x:1/path', 'x:1/path', 'user@x:1', 'a b', 'x:99999999']) {
      expect(() => new Client({ address })).toThrow(/host:port/);
    }
    expect(new Client({ address: 'https://x.example/' }).address).toBe('x.example');
  });
});

describe('an encrypted connection', () => {
  test('trusts the given authority alone, and shows its own certificate', async () => {
    await using directory = await temporaryDirectory();
    const pem = await certificates(directory.path);
    await using server = await Scripted.start({
      key: pem['server.key']!,
      cert: pem['server.crt']!,
      ca: pem['ca.crt']!,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const own = { clientCertificate: pem['client.crt']!, clientKey: pem['client.key']! };
    const good = { rootCertificates: pem['ca.crt']!, serverName: 'localhost', ...own };
    for (const options of [
      { address: server.address, tls: good },
      { address: `https://${server.address}`, tls: good },
    ]) {
      using client = new Client(options);
      expect((await client.get('x')).id).toBe('x');
    }
    for (const tls of [true, false, { ...own, serverName: 'localhost' }, { ...good, serverName: 'other' }]) {
      using client = new Client({ address: server.address, tls, timeoutMs: 300 });
      expect(await rejection(client.get('x'))).toBeInstanceOf(UnavailableError);
    }
  });
});

describe('errors', () => {
  test('are of their classes', () => {
    const error = new WatchInterruptedError('x', { code: 'UNAVAILABLE' });
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toBeInstanceOf(EvalrpcError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('WatchInterruptedError');
  });
});

/** Makes an authority, and certificates by it for a server and a client; returns all as PEM by file name. */
async function certificates(path: string): Promise<Record<string, string>> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: path });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.crt');
  for (const name of ['server', 'client']) {
    const extension = `subjectAltName=DNS:${name === 'server' ? 'localhost' : name}`;
    const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key'];
    await openssl(
      ...['req', '-x509', ...key, ...issuer, '-subj', `/CN=${name}`, '-addext', extension],
      ...['-keyout', `${name}.key`, '-out', `${name}.crt`],
    );
  }
  const files = ['ca.crt', 'server.key', 'server.crt', 'client.key', 'client.crt'];
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file, await readFile(join(path, file), 'utf8')] as const)),
  );
}
