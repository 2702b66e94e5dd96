// Lints one source: `lint.run(given)` returns what it found as JSON, in the source's order.
(function (lint) {
  'use strict';

  const MODULE = /^'import' and 'export' may appear only|^Cannot use 'import\.meta'/;
  const EXPORTS = /^(export\s+(default|const|async|function)|import\s*[\w{*"'])/m;

  const STACK = 'Not enough stack space to parse input';
  const MOST = 200;

  lint.run = (given) => {
    const findings = [];
    const { tree, error, place } = lint.parse(given.source, given.kind);
    const add = (at, severity, rule, message, remedy) => findings.push({
      severity, line: at.line, column: at.column, rule, message, remedy,
    });
    if (error) {
      if (error.message === STACK) throw new RangeError('the parser ran out of stack');
      if (MODULE.test(error.message) || (given.kind === 'rule' && EXPORTS.test(given.source))) {
        add(error, 'error', 'es-module', 'It is an ES module, and Actions are CommonJS',
          'Write exports.onExecutePostLogin = async (event, api) => {…}, and require() instead of import');
      } else add(error, 'error', 'syntax', error.message, 'Correct it here, or just before');
      return JSON.stringify(findings);
    }
    const report = (node, ...said) => {
      const at = node === tree ? { line: 1, column: 0 } : place(node.loc.start);
      add(at, ...said);
    };
    const names = new lint.Names(tree);
    names.parameterPaths = new Map();
    const call = names.call.bind(names);
    names.call = (node, paths) => {
      node.params.forEach((parameter, at) => {
        if (paths[at] && !names.parameterPaths.has(parameter)) names.parameterPaths.set(parameter, paths[at]);
      });
      call(node, paths);
    };
    names.count();
    names.follow(); // functions by their names
    let shape = { continued: false };
    if (given.kind === 'rule') lint.rule(names, report);
    else shape = lint.handlers(names, report);
    names.follow();
    names.follow(); // what was passed on to functions that stand earlier
    lint.uses(names, given, shape, report);
    lint.calls(names, given, report);
    findings.sort((one, other) => one.line - other.line || one.column - other.column);
    return JSON.stringify(findings.slice(0, MOST));
  };
})(globalThis.lint ??= {});
