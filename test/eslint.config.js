/** ESLint's rules: the strictest set of typescript-eslint, with what this code means to do otherwise. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const root = fileURLToPath(new URL('..', import.meta.url));

export default defineConfig(
  // The examples are projects of their own, whose packages need not be installed.
  { ignores: ['dist/**', 'examples/**', '**/*.js', '**/*.cjs', '**/*.mjs'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      // A number in a text is what it looks like; anything else has to say how it is shown.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {
          allowNumber: true,
          allowAny: false,
          allowBoolean: false,
          allowNever: false,
          allowNullish: false,
          allowRegExp: false,
        },
      ],
      // `() => stop()` is how a callback is written, and `return take(event)` how a branch of a switch ends; a void
      // value that somebody uses is still an error.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // The caller knows which record a bucket holds: `decodeRecord<RunRecord>(…)` says so where it is read.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // The NATS client calls the consumer that pushes deprecated, but has no other that leaves out bodies and says what
      // it has missed. Its configuration is a `Partial`, by which the rule has to be told of it.
      '@typescript-eslint/no-deprecated': ['error', { allow: [{ from: 'lib', name: 'Partial' }] }],
      // Users throw what they like, and it is passed on as it is.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      // A leading underscore says that a place has to be filled and its value is not wanted.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
    },
  },
  {
    // Lines that must not compile have types that do not exist.
    files: ['test/types/**'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
    },
  },
);
