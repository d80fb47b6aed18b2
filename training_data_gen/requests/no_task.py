"""What people write that asks for no vision model: the answer to it says so."""

from training_data_gen.requests.corpus import without_task

NO_TASK = (
    "Hi, anybody there?",
    "Good evening, how are you?",
    "What can you do for me?",
    "Please translate this letter into French.",
    "Write a poem about the sea.",
    "I want to predict tomorrow's temperature from a table of past values.",
    "Transcribe the recording of our meeting, under 5 M parameters.",
    "Turn this text into speech, on a CPU.",
    "Which graphics card should I buy for gaming?",
    "How much does a licence cost?",
    "Summarise the attached report in 100 words.",
    "Generate a picture of a castle in the clouds.",
    "Make my photo sharper and brighter.",
    "I need a chatbot for our web shop, 50 ms latency.",
    "Forecast the sales of the next quarter, with an error under 10 %.",
    "Recommend films that I may like.",
    "Sort this list of numbers.",
    "What is the difference between accuracy and precision?",
    "Explain ResNet-50 to me.",
    "Where can I download COCO?",
    "asdf asdf",
    "test",
    "hello????",
    "Thanks, that was all.",
    "Can you call me back tomorrow at 9?",
    "The last model was great, greetings from the whole team!",
    "I don't know yet what I need.",
    "Classify these e-mails as spam or no spam.",
    "Detect fraud in credit card payments, recall of 0.9.",
    "Find typing errors in my thesis.",
    "Segment our customers by what they buy.",
    "Point out the key messages of this article.",
    "Recognise who is speaking in a podcast.",
    "Detect the key of a song.",
    "Is OpenVINO faster than ONNX Runtime?",
    "Install ncnn on my phone, please.",
    "How do I reset my password?",
    "Delete my account.",
    "Tell me a joke about cats and dogs.",
    "What is the weather like in Oslo?",
)


def no_task_texts() -> tuple[str, ...]:
    """All texts without a task: those above, and those of the handwritten voices."""
    return (*NO_TASK, *without_task())
