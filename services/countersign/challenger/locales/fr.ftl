### The pages in French; polite form (vous). A narrow no-break space stands before ; ! ? and a no-break
### space before a colon.

-sign-in-again = Retournez à l’application et connectez-vous à nouveau.

unknown =
    .title = Ce lien est inconnu
    .text = Il est peut-être incomplet ou trop ancien. { -sign-in-again }
bad-request =
    .title = Cette adresse ne peut pas être utilisée
    .text = Elle ne correspond à aucune connexion ou a été modifiée en chemin. { -sign-in-again }
wrong-browser =
    .title = Cette connexion appartient à un autre navigateur
    .text =
        Elle doit être terminée dans le navigateur et la fenêtre où elle a été commencée. Si vous ne l’avez
        pas commencée vous-même, fermez cette page : quelqu’un a peut-être voulu vous faire approuver sa
        propre connexion.
elsewhere =
    .title = Cette connexion a été approuvée ailleurs
    .text =
        Elle se poursuit dans le navigateur où elle a été approuvée. Si ce n’était pas vous, prévenez votre
        service informatique.
moving-on =
    .title = Un instant
    .text = Votre réponse est en cours de vérification. Cette page s’actualise d’elle-même.
again =
    .title = Cela n’a pas fonctionné
    .text =
        Votre réponse n’a pas pu être vérifiée à temps. Vous pouvez demander à Duo une nouvelle
        approbation.
finished =
    .title = Cette connexion est terminée
    .text = Vous n’avez plus rien à faire ici.
denied =
    .title = La connexion a été refusée
    .text =
        Elle n’a donc pas abouti. Si vous l’avez refusée par erreur, connectez-vous à nouveau. Si vous n’avez
        rien demandé, quelqu’un connaît peut-être votre mot de passe : changez-le et prévenez votre service
        informatique.
expired =
    .title = Le temps est écoulé
    .text = La connexion a pris trop de temps. { -sign-in-again }
no-way-back =
    .title = Retour impossible
    .text =
        Vous avez répondu, mais l’adresse de l’application n’est plus autorisée. Vous n’êtes donc pas
        connecté. Prévenez votre service informatique.
failed =
    .title = La connexion n’a pas pu être vérifiée
    .text =
        Un problème est survenu entre ce service et Duo, la connexion n’a donc pas abouti. Si cela se
        reproduit, prévenez votre service informatique.
duo-unavailable =
    .title = Duo est injoignable
    .text = La connexion n’a pas abouti. Connectez-vous à nouveau dans une minute.
duo-away =
    .title = Duo est injoignable pour le moment
    .text = Rien n’est perdu : réessayez dans une minute.
too-many-prompts =
    .title = Trop de demandes
    .text =
        Autant de demandes en si peu de temps semblent venir de quelqu’un d’autre, il n’y en aura donc plus
        pour l’instant. Répondez à une demande encore ouverte ou patientez quelques minutes.
not-now =
    .title = Impossible pour le moment
    .text = Rien n’est perdu : rechargez cette page dans une minute.
no-such-page =
    .title = Cette page n’existe pas
    .text = { -sign-in-again }
wrong-method =
    .title = Ce n’est pas possible ici
    .text = { -sign-in-again }
broken =
    .title = Une erreur s’est produite
    .text = La connexion n’a pas abouti. L’erreur a été enregistrée ; réessayez dans une minute.

## What leads on from a page.

link-again = Réessayer
link-back = Retour à l’application
link-continue = Continuer
