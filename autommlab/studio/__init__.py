"""The web page: runs watched, started, stopped and tried in a browser; it reads run folders and starts the program."""
