import { inject } from 'vitest';

// Examples find the server as a user's programs do.
process.env['EVALRPC_ADDRESS'] ??= inject('serverAddress');
