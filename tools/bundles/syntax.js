// What lint reads JavaScript with.
import * as acorn from 'acorn';
import * as walk from 'acorn-walk';

globalThis.syntax = { acorn, walk };
