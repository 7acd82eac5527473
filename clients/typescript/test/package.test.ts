import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { VERSION } from '@evalrpc/client';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const ENTRIES = ['src/index.ts', 'src/vitest/index.ts'];

interface Manifest {
  readonly version: string;
  readonly exports: Record<string, { types?: string; default?: string } | string>;
}

describe('the package', () => {
  test('holds what its manifest names, and nothing of the tests', async () => {
    const manifest = JSON.parse(await readFile(`${PACKAGE}/package.json`, 'utf8')) as Manifest;
    expect(manifest.version).toBe(VERSION);
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: PACKAGE,
    });
    const packed = JSON.parse(stdout);
    const [{ files }] = Array.isArray(packed) ? packed : Object.values(packed);
    const paths: string[] = files.map((file: { path: string }) => file.path);
    const named = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    expect(paths).toEqual(expect.arrayContaining(named.map((path) => path.replace('./', ''))));
    expect(paths).toEqual(expect.arrayContaining(['dist/worker/thread-main.js', 'LICENSE', 'README.md']));
    expect(paths.filter((path) => /^(test|examples)\//.test(path))).toEqual([]);
  });

  test('is imported by plain Node', async () => {
    const script = "import * as client from '@evalrpc/client'; console.log(Object.keys(client).join());";
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: PACKAGE,
    });
    expect(stdout.trim().split(',')).toEqual(
      expect.arrayContaining(['Client', 'Worker', 'builtin', 'NotFoundError']),
    );
  });
});

describe('every public name', () => {
  test('is documented', () => {
    const program = ts.createProgram(
      ENTRIES.map((entry) => PACKAGE + entry),
      { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, strict: true },
    );
    const checker = program.getTypeChecker();
    const undocumented: string[] = [];
    const check = (symbol: ts.Symbol, name: string): void => {
      const isOwn = symbol.declarations?.some((each) =>
        /\/src\/(?!gen\/)/.test(each.getSourceFile().fileName),
      );
      if (isOwn === true && symbol.getDocumentationComment(checker).length === 0) {
        undocumented.push(name);
      }
    };
    for (const entry of ENTRIES) {
      const file = checker.getSymbolAtLocation(program.getSourceFile(PACKAGE + entry)!)!;
      for (const exported of checker.getExportsOfModule(file)) {
        const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
        check(symbol, symbol.name);
        for (const [key, member] of symbol.members ?? []) {
          const name = String(key);
          if (
            !/^(__|#)/.test(name) &&
            !name.includes('@') &&
            !isPrivate(member) &&
            !(member.flags & ts.SymbolFlags.TypeParameter)
          ) {
            check(member, `${symbol.name}.${name}`);
          }
        }
      }
    }
    expect(undocumented).toEqual([]);
  });
});

/** Tells names that begin with # and literal types, such as those of kinds, which say what they are. */
function isPrivate(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some((each) => {
    const { name, type } = each as Partial<ts.PropertyDeclaration>;
    return (
      (name !== undefined && ts.isPrivateIdentifier(name)) ||
      (type !== undefined && ts.isLiteralTypeNode(type))
    );
  });
}
