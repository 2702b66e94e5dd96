// What a source reads and calls, held against the table of members, the secrets and the modules that there are.
(function (lint) {
  'use strict';

  const BUILTINS = new Set(['assert', 'async_hooks', 'buffer', 'child_process', 'cluster', 'crypto', 'dgram', 'dns',
    'events', 'fs', 'http', 'http2', 'https', 'net', 'os', 'path', 'perf_hooks', 'process', 'punycode', 'querystring',
    'readline', 'stream', 'string_decoder', 'timers', 'tls', 'tty', 'url', 'util', 'v8', 'vm', 'worker_threads', 'zlib']);

  function distance(one, other) {
    let row = Array.from({ length: other.length + 1 }, (_, at) => at);
    for (let i = 1; i <= one.length; i += 1) {
      const next = [i];
      for (let j = 1; j <= other.length; j += 1) {
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1));
      }
      row = next;
    }
    return row[other.length];
  }

  // The word that was most likely meant, or null.
  lint.nearest = (word, words) => {
    if (word.length > 80) return null;
    const [best] = words.map((each) => [distance(word.toLowerCase(), each.toLowerCase()), each])
      .sort((one, other) => one[0] - other[0]);
    return best && best[0] <= Math.max(2, Math.floor(word.length / 3)) ? best[1] : null;
  };

  const told = new Map();

  // What to write in place of a member that there is none of.
  function remedy(path, known) {
    if (!told.has(path)) {
      const meant = lint.nearest(path, known.filter((its) => !its.endsWith('.*')));
      told.set(path, meant === null ? 'See docs/actions.md for what there is' : `Did you mean ${meant}?`);
    }
    return told.get(path);
  }

  const bare = (name) => name.replace(/^node:/, '').replace(/(.)@[^/]*/, '$1');

  function member(path, expression, { members }, report) {
    const node = path.startsWith('api.') && expression.type === 'MemberExpression' ? expression.property : expression;
    const exact = members.find(([its]) => path === its || path.startsWith(`${its}.`));
    if (exact !== undefined && exact[1] !== 'unsupported') return;
    for (const [its, treatment, explanation] of members) {
      const whole = its.endsWith('.*') ? its.slice(0, -2) : its;
      if (path !== whole && !path.startsWith(`${whole}.`)) continue;
      if (treatment === 'unsupported' && (path !== whole || !its.startsWith('api.') || !its.endsWith('.*'))) {
        report(node, 'error', 'unsupported-member', `${path} can't be used here`, explanation);
      }
      return;
    }
    if (!path.startsWith('api.')) return;
    const known = members.map(([its]) => its).filter((its) => its.startsWith('api.'));
    if (known.some((its) => its.startsWith(`${path}.`))) return;
    report(node, 'error', 'unknown-member', `There is no ${path.slice(0, 200)}`, remedy(path, known));
  }

  function required(names, call, modules, report) {
    const name = lint.textOf(names.valueOf(call.arguments[0]));
    if (name === null) {
      report(call, 'warning', 'dynamic-require', 'Which module this requires shows only when it runs',
        'Name the module in the call');
      return;
    }
    if (modules.some((each) => each === name || each === bare(name))) return;
    const builtin = BUILTINS.has(bare(name).split('/')[0]);
    report(call, 'error', 'missing-module', `There is no module '${name}'`, builtin
      ? `${bare(name)} is a part of Node, which isn't here. Do without it, or upload a CommonJS bundle of that name`
      : `Upload a CommonJS bundle of it under that name: modules in actions.toml`);
  }

  // Visits every use of a name once, at its longest path.
  lint.uses = (names, given, shape, report) => {
    const { kind, secrets, modules } = given;
    const used = new Map();
    const tested = new Set();
    let dynamic = false;
    let encoded = false;
    const redirects = [];
    const roots = ['event.secrets', 'configuration'];

    // Where a path's own last name stands in an expression that goes on from it.
    const keyAt = (node, path) => {
      let at = node;
      while (at.type === 'MemberExpression' && names.pathOf(at) !== path) at = lint.inside(at.object);
      return at.type === 'MemberExpression' ? at.property : at;
    };

    const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

    const secret = (path, node, test) => {
      for (const root of roots) {
        if (!path.startsWith(`${root}.`)) continue;
        const name = path.slice(root.length + 1).split('.')[0];
        if (INHERITED.has(name)) { dynamic = true; continue; }
        if (test) tested.add(name);
        if (!used.has(name)) used.set(name, keyAt(node, `${root}.${name}`));
      }
    };

    const use = (path, node, { test = false, asked = false } = {}) => {
      if (asked) return;
      secret(path, node, test);
      if (/^(api|auth0|process|Deno)\.|^(fetch|WebSocket|XMLHttpRequest)\b/.test(path)
        && (kind !== 'rule' || !path.startsWith('api.'))) member(path, node, given, report);
      if (path === 'eval' || path === 'Function') {
        report(node, 'error', 'evaluation', `${path} makes code of text, which no Action may`, 'Write the code out');
      }
      if (path === 'api.redirect.encodeToken') encoded = true;
      if (path === 'api.redirect.sendUserTo') redirects.push(node);
    };

    // What a pattern takes out of a path.
    const pattern = (node, path) => {
      if (node.type === 'AssignmentPattern') pattern(node.left, path);
      else if (node.type === 'RestElement') dynamic ||= roots.includes(path) || path === 'event';
      else if (node.type === 'ObjectPattern') {
        for (const each of node.properties) {
          if (each.type === 'RestElement') { pattern(each, path); continue; }
          const key = lint.keyOf(each);
          if (key === null) { dynamic = true; continue; }
          use(`${path}.${key}`, each.key, { test: each.value.type === 'AssignmentPattern' });
          pattern(each.value, `${path}.${key}`);
        }
      }
    };

    const passed = (node, parent, path) => {
      // Where the secrets go as a whole, any of them may be used.
      if (!roots.includes(path) && path !== 'event') return;
      if (parent.type === 'VariableDeclarator' || parent.type === 'LogicalExpression') return;
      if (parent.type === 'CallExpression' && names.functionOf(parent.callee) !== null) return;
      if (/Pattern|^(If|Conditional|Unary)/.test(parent.type)) return;
      dynamic = true;
    };

    const visit = (node, parent, test) => {
      if (lint.isFunction(node)) {
        node.params.forEach((parameter) => {
          const path = names.parameterPaths.get(parameter);
          if (path) pattern(parameter, path);
        });
      }
      if (node.type === 'VariableDeclarator' && node.init && node.id.type === 'ObjectPattern') {
        const path = names.pathOf(node.init);
        if (path !== null) pattern(node.id, path);
      }
      const member_ = node.type === 'MemberExpression';
      if (member_ || node.type === 'Identifier') {
        const path = names.pathOf(node);
        if (path !== null) {
          const asked = parent?.type === 'UnaryExpression' && parent.operator === 'typeof';
          const written = parent?.type === 'AssignmentExpression' && parent.left === node;
          use(path, node, { test: test || written || parent?.operator === '!', asked });
          passed(node, parent, path);
        } else if (member_ && roots.includes(names.pathOf(node.object))) dynamic = true;
        if (member_) {
          if (path === null || lint.inside(node.object).type !== 'Identifier') inner(node.object, node);
          if (node.computed) visit(node.property, node, false);
        }
        return;
      }
      if (node.type === 'ImportExpression') {
        report(node, 'error', 'missing-module', 'import() finds no module here',
          'Upload a CommonJS bundle of it, and require it: modules in actions.toml');
      }
      if (node.type === 'CallExpression' && names.pathOf(node.callee) === 'require') required(names, node, modules, report);
      for (const child of lint.childrenOf(node)) {
        if (skipped(node, child)) continue;
        visit(child, node, child === node.test || (node.type === 'LogicalExpression' && child === node.left)
          || ((node.type === 'LogicalExpression' || node.type === 'ChainExpression') && test));
      }
    };

    // The object of a longer path was told of already; what it calls on the way was not.
    const inner = (object, parent) => {
      let node = object;
      while (node.type === 'MemberExpression' || node.type === 'ChainExpression') {
        if (node.computed) visit(node.property, node, false);
        node = node.object ?? node.expression;
      }
      if (node.type !== 'Identifier') visit(node, parent, false);
      else if (names.pathOf(parent) === null) visit(node, parent, false);
    };

    const skipped = (node, child) => !node.computed && (
      (/^(Property|MethodDefinition|PropertyDefinition)$/.test(node.type) && child === node.key && child !== node.value)
      || /^(LabeledStatement|BreakStatement|ContinueStatement)$/.test(node.type) && child === node.label
      || node.type === 'MetaProperty'
    ) || (lint.isFunction(node) && (child === node.id || node.params.includes(child)))
      || (node.type === 'VariableDeclarator' && child === node.id);

    visit(names.tree, null, false);
    for (const [name, node] of secrets === null ? [] : used) {
      if (!secrets.includes(name) && !tested.has(name)) {
        const meant = lint.nearest(name, secrets);
        report(node, 'error', 'missing-secret', `The secret ${name} isn't defined`,
          meant === null ? `Define it: secrets = ["${name}"] in actions.toml` : `Did you mean ${meant}?`);
      }
    }
    if (!dynamic && secrets !== null) {
      for (const name of secrets) {
        if (!used.has(name)) {
          report(names.tree, 'warning', 'unused-secret', `The secret ${name} is defined, and not used`,
            'Leave it out: code can only give away what it has');
        }
      }
    }
    if (shape.continued || encoded) {
      for (const node of redirects) {
        report(node, 'warning', 'no-continuation', 'A redirect ends the login here, and nothing continues it',
          'Pass what the page needs in `query`, and let it start a login of its own');
      }
    }
  };
})(globalThis.lint ??= {});
