"""A chat panel in a notebook, found as its users find it: by roles and names."""

from __future__ import annotations

import re

from browser.notebooks import Notebook
from playwright.sync_api import Locator, Page, expect

__all__ = ["Chat"]


class Chat:
    """The panel in the output of one cell.

    Attributes:
        page: The page.
        root: The panel.
    """

    def __init__(self, notebook: Notebook, index: int) -> None:
        self.page: Page = notebook.page
        self.root = notebook.output(index).get_by_role("region", name="Chat")
        self.log = self.root.get_by_role("log")
        self.box = self.root.get_by_role("textbox", name="Message")
        self.send = self.root.get_by_role("button", name="Send")
        self.stop = self.root.get_by_role("button", name="Stop")
        self.conversation = self.root.get_by_role("combobox", name="Conversation")
        self.model = self.root.get_by_role("combobox", name="Model")

    @classmethod
    def show(cls, notebook: Notebook, source: str = "%copilot panel") -> Chat:
        """Run a cell that shows a panel; return the panel when it is there."""
        chat = cls(notebook, notebook.run(source))
        expect(chat.box).to_be_visible()
        chat.send.scroll_into_view_if_needed()
        return chat

    def ask(self, text: str) -> None:
        """Type a message and press Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    def press(self, name: str) -> None:
        """Press the button of this name; of several, the last."""
        self.root.get_by_role("button", name=name, exact=True).last.click()

    @property
    def said(self) -> Locator:
        """Return the user's messages."""
        return self.log.get_by_role("article", name="You").locator(".cp-said")

    @property
    def answers(self) -> Locator:
        """Return the answers."""
        return self.log.get_by_role("article", name="Assistant").locator(".cp-answer")

    def has_ended(self) -> None:
        """Wait until no prompt is on its way, and no answer is arriving."""
        expect(self.root).not_to_have_class(re.compile("cp-busy"))
        expect(self.log).to_have_attribute("aria-busy", "false")
        expect(self.send).to_be_visible()
