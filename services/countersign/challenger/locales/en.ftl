### The pages that a browser meets. One message a page, its name that of the page; `.title` says what
### happened, `.text` what that means and what to do.

-sign-in-again = Go back to the application and sign in again.

unknown =
    .title = This link is not known
    .text = It may be incomplete, or too old. { -sign-in-again }
bad-request =
    .title = This address can’t be used
    .text = It isn’t one that a sign-in leads to, or it was changed on the way. { -sign-in-again }
wrong-browser =
    .title = This sign-in belongs to another browser
    .text =
        It has to be finished in the browser, and the window, where it was begun. If you didn’t begin it
        yourself, close this page: somebody may have wanted you to approve their sign-in.
elsewhere =
    .title = This sign-in was approved elsewhere
    .text = It goes on in the browser where it was approved. If that wasn’t you, tell your administrator.
moving-on =
    .title = One moment
    .text = Your answer is being checked. This page goes on by itself.
again =
    .title = That didn’t work
    .text = Your answer couldn’t be checked in time. You can ask for a new prompt.
finished =
    .title = This sign-in is finished
    .text = There is nothing more to do here.
denied =
    .title = The sign-in was denied
    .text =
        You have not been signed in. If you denied it by mistake, sign in again. If you didn’t ask for
        it, somebody may know your password: change it, and tell your administrator.
expired =
    .title = Time is up
    .text = The sign-in took too long. { -sign-in-again }
no-way-back =
    .title = There is no way back
    .text =
        You have answered, but the application’s address is no longer allowed, so you have not been
        signed in. Tell your administrator.
failed =
    .title = The sign-in couldn’t be checked
    .text =
        Something is wrong between this service and Duo, so you have not been signed in. If it happens
        again, tell your administrator.
duo-unavailable =
    .title = Duo can’t be reached
    .text = You have not been signed in. Sign in again in a minute.
duo-away =
    .title = Duo can’t be reached at the moment
    .text = Nothing is lost: try again in a minute.
too-many-prompts =
    .title = Too many prompts
    .text =
        So many prompts in a short time look like somebody else’s doing, so there are no more for now.
        Answer one that is still open, or wait some minutes.
not-now =
    .title = Not possible at the moment
    .text = Nothing is lost: reload this page in a minute.
no-such-page =
    .title = There is no such page
    .text = { -sign-in-again }
wrong-method =
    .title = That can’t be done here
    .text = { -sign-in-again }
broken =
    .title = Something went wrong here
    .text = You have not been signed in. It has been noted; try again in a minute.

## What leads on from a page.

link-again = Try again
link-back = Back to the application
link-continue = Continue
