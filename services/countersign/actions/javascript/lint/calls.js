// What is asked of MFA: the provider, its options, the factors; and what is asked in vain.
(function (lint) {
  'use strict';

  const ACCOUNT = ['ikey', 'skey', 'host'];
  const ENABLE = 'api.multifactor.enable';
  const quoted = (words) => words.map((each) => `'${each}'`).join(', ');

  function oneOf(names, expression, words, rule, what, report) {
    const node = names.valueOf(expression);
    if (node?.type === 'ConditionalExpression') {
      oneOf(names, node.consequent, words, rule, what, report);
      oneOf(names, node.alternate, words, rule, what, report);
      return;
    }
    const text = lint.textOf(node);
    const fixed = node?.type === 'Literal' || text !== null;
    if (!fixed || words.includes(text)) return;
    const given = text === null ? node.raw : `'${text}'`;
    const meant = text === null ? null : lint.nearest(text, words);
    report(node, 'error', rule, `${given} is no ${what}`,
      meant === null ? `Use one of ${quoted(words)}` : `Did you mean '${meant}'?`);
  }

  const property = (object, name) => object?.type === 'ObjectExpression'
    ? object.properties.find((each) => each.type === 'Property' && lint.keyOf(each) === name) : undefined;

  function account(object, allowed, report) {
    if (object?.type !== 'ObjectExpression') return;
    if (object.properties.some((each) => each.type !== 'Property' || lint.keyOf(each) === null)) return;
    const keys = object.properties.map(lint.keyOf);
    const missing = ACCOUNT.filter((key) => !keys.includes(key));
    if (missing.length > 0 && missing.length < ACCOUNT.length) {
      report(object, 'error', 'partial-account', `The Duo account lacks ${missing.join(' and ')}`,
        'Give ikey, skey and host together, or none of them for the tenant’s own account');
    }
    for (const each of allowed === null ? [] : object.properties) {
      if (!allowed.includes(lint.keyOf(each))) {
        report(each, 'warning', 'unknown-option', `providerOptions has no ${lint.keyOf(each)}`,
          `It has ${allowed.join(', ')}`);
      }
    }
  }

  // What `enable` takes beside the provider.
  function options(names, object, report) {
    if (object?.type !== 'ObjectExpression') return;
    for (const each of object.properties) {
      const key = each.type === 'Property' ? lint.keyOf(each) : null;
      if (key === null || key === 'providerOptions') continue;
      if (key !== 'allowRememberBrowser') {
        report(each, 'warning', 'unknown-option', `enable knows no ${key}, and goes on without it`,
          [...ACCOUNT, 'username'].includes(key) ? `Put ${key} into providerOptions` : 'It knows allowRememberBrowser and providerOptions');
      } else if (lint.textOf(names.valueOf(each.value)) !== null || typeof names.valueOf(each.value).value === 'number') {
        report(each.value, 'error', 'not-a-boolean', 'allowRememberBrowser is not a boolean', 'Use true or false');
      }
    }
  }

  function factors(names, node, call, known, report) {
    const named = (each) => {
      const asked = names.valueOf(each);
      const type = asked?.type === 'ObjectExpression' ? property(asked, 'type')?.value : asked;
      oneOf(names, type, known, 'unknown-factor', 'factor', report);
    };
    if (/Any$/.test(call)) {
      if (node.arguments[0]?.type === 'ArrayExpression') node.arguments[0].elements.forEach(named);
      return;
    }
    named(node.arguments[0]);
    const more = property(node.arguments[1], 'additionalFactors')?.value;
    if (more?.type === 'ArrayExpression') more.elements.forEach(named);
  }

  lint.calls = (names, given, report) => {
    const { providers } = given;

    // What a Rule leaves on `context.multifactor`.
    const left = (expression) => {
      const asked = names.valueOf(expression);
      if (asked.type === 'ConditionalExpression') {
        left(asked.consequent);
        left(asked.alternate);
      } else if (lint.textOf(asked) !== null) {
        report(asked, 'error', 'unknown-provider', 'context.multifactor is a text, and has to be an object',
          `Write { provider: ${providers.includes(lint.textOf(asked)) ? `'${lint.textOf(asked)}'` : "'any'"} }`);
      } else {
        oneOf(names, property(asked, 'provider')?.value, providers, 'unknown-provider', 'provider', report);
        account(asked, null, report);
      }
    };

    const visit = (node) => {
      if (node.type === 'CallExpression') {
        const path = names.pathOf(node.callee);
        if (path === ENABLE) {
          if (node.arguments.length === 0) {
            report(node, 'error', 'unknown-provider', 'No provider is named', `Use one of ${quoted(providers)}`);
          } else oneOf(names, node.arguments[0], providers, 'unknown-provider', 'provider', report);
          const asked = names.valueOf(node.arguments[1]);
          options(names, asked, report);
          account(names.valueOf(property(asked, 'providerOptions')?.value), [...ACCOUNT, 'username'], report);
        }
        if (/^api\.authentication\.(challenge|enroll)With(Any)?$/.test(path ?? '')) factors(names, node, path, given.factors, report);
      }
      if (node.type === 'AssignmentExpression') {
        const path = names.pathOf(node.left);
        if (path === 'context.multifactor') {
          left(node.right);
        }
        if (path === 'context.multifactor.provider') {
          oneOf(names, node.right, providers, 'unknown-provider', 'provider', report);
        }
      }
      if (node.type === 'BlockStatement' || node.type === 'Program') straight(node.body);
      if (node.type === 'SwitchCase') straight(node.consequent);
      for (const child of lint.childrenOf(node)) visit(child);
    };

    const enables = (statement) => {
      if (statement.type !== 'ExpressionStatement') return null;
      const call = lint.inside(statement.expression);
      if (call.type === 'AssignmentExpression' && names.pathOf(call.left) === 'context.multifactor') return call;
      return call.type === 'CallExpression' && names.pathOf(call.callee) === ENABLE ? call : null;
    };

    const leaves = (node) => {
      if (/^(Return|Throw|Break|Continue)Statement$/.test(node.type)) return true;
      return !lint.isFunction(node) && lint.childrenOf(node).some(leaves);
    };

    const ends = (node) => /^(Return|Throw|Break|Continue)Statement$/.test(node.type)
      || (node.type === 'BlockStatement' && node.body.some(ends))
      || (node.type === 'IfStatement' && Boolean(node.alternate) && ends(node.consequent) && ends(node.alternate));

    // One after the other, without a branch between them.
    function straight(statements) {
      let earlier = null;
      let ended = false;
      for (const each of statements) {
        const bare = each.type === 'FunctionDeclaration' || each.type === 'EmptyStatement'
          || (each.type === 'VariableDeclaration' && each.kind === 'var' && each.declarations.every((one) => !one.init));
        if (ended && !bare) {
          report(each, 'warning', 'unreachable', 'This never runs: what stands before it always leaves',
            'Leave it out, or put it first');
          return;
        }
        const call = enables(each);
        if (call !== null) {
          if (earlier !== null) {
            report(earlier, 'warning', 'overridden', 'This changes nothing: a later call of enable always has the last word',
              'Leave it out, or put it into a branch');
          }
          earlier = call;
        } else if (leaves(each)) earlier = null;
        ended ||= ends(each);
      }
    }

    visit(names.tree);
  };
})(globalThis.lint ??= {});
