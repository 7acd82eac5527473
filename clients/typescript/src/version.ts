/** The version of this package; a test keeps it equal to package.json's. */
export const VERSION = '0.1.0';

/** How this library names itself to the server. */
export const CLIENT_NAME = 'typescript';
